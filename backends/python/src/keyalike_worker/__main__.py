"""`python -m keyalike_worker --backend ID`."""

from .worker import main

if __name__ == "__main__":
    raise SystemExit(main())
