//! How each bare lock library is called, for programs that show a finding with nothing but the library.

use harness::explore::fuzz::export::BareSyntax;
use harness::primitive::Primitive;

const TOKIO: BareSyntax = BareSyntax {
    package: "tokio",
    features: &["sync"],
    default_features: false,
    items: &[(
        Primitive::Mutex,
        "type Lock = &'static tokio::sync::Mutex<()>;
type Guard = tokio::sync::MutexGuard<'static, ()>;

fn make() -> Lock {
    Box::leak(Box::new(tokio::sync::Mutex::new(())))
}

fn acquire(lock: Lock) -> impl Future<Output = Guard> {
    lock.lock()
}

fn try_acquire(lock: Lock) -> Option<Guard> {
    lock.try_lock().ok()
}
",
    )],
};

const TOKIO_OWNED: BareSyntax = BareSyntax {
    items: &[(
        Primitive::Mutex,
        "type Lock = Arc<tokio::sync::Mutex<()>>;
type Guard = tokio::sync::OwnedMutexGuard<()>;

fn make() -> Lock {
    Arc::new(tokio::sync::Mutex::new(()))
}

fn acquire(lock: Lock) -> impl Future<Output = Guard> {
    lock.lock_owned()
}

fn try_acquire(lock: Lock) -> Option<Guard> {
    lock.try_lock_owned().ok()
}
",
    )],
    ..TOKIO
};

const ASYNC_LOCK: BareSyntax = BareSyntax {
    package: "async-lock",
    features: &[],
    default_features: true,
    items: &[(
        Primitive::Mutex,
        "type Lock = &'static async_lock::Mutex<()>;
type Guard = async_lock::MutexGuard<'static, ()>;

fn make() -> Lock {
    Box::leak(Box::new(async_lock::Mutex::new(())))
}

fn acquire(lock: Lock) -> impl Future<Output = Guard> {
    lock.lock()
}

fn try_acquire(lock: Lock) -> Option<Guard> {
    lock.try_lock()
}
",
    )],
};

const ASYNC_LOCK_ARC: BareSyntax = BareSyntax {
    items: &[(
        Primitive::Mutex,
        "type Lock = Arc<async_lock::Mutex<()>>;
type Guard = async_lock::MutexGuardArc<()>;

fn make() -> Lock {
    Arc::new(async_lock::Mutex::new(()))
}

fn acquire(lock: Lock) -> impl Future<Output = Guard> {
    async move { lock.lock_arc().await }
}

fn try_acquire(lock: Lock) -> Option<Guard> {
    lock.try_lock_arc()
}
",
    )],
    ..ASYNC_LOCK
};

const FUTURES: BareSyntax = BareSyntax {
    package: "futures-util",
    features: &["std"],
    default_features: false,
    items: &[(
        Primitive::Mutex,
        "type Lock = &'static futures_util::lock::Mutex<()>;
type Guard = futures_util::lock::MutexGuard<'static, ()>;

fn make() -> Lock {
    Box::leak(Box::new(futures_util::lock::Mutex::new(())))
}

fn acquire(lock: Lock) -> impl Future<Output = Guard> {
    lock.lock()
}

fn try_acquire(lock: Lock) -> Option<Guard> {
    lock.try_lock()
}
",
    )],
};

const FUTURES_OWNED: BareSyntax = BareSyntax {
    items: &[(
        Primitive::Mutex,
        "type Lock = Arc<futures_util::lock::Mutex<()>>;
type Guard = futures_util::lock::OwnedMutexGuard<()>;

fn make() -> Lock {
    Arc::new(futures_util::lock::Mutex::new(()))
}

fn acquire(lock: Lock) -> impl Future<Output = Guard> {
    lock.lock_owned()
}

fn try_acquire(lock: Lock) -> Option<Guard> {
    lock.try_lock_owned()
}
",
    )],
    ..FUTURES
};

/// Returns how the bare lock library with the id `locks` is called, if it is known.
pub fn syntax(locks: &str) -> Option<BareSyntax> {
    Some(match locks {
        "tokio" => TOKIO,
        "tokio-owned" => TOKIO_OWNED,
        "async-lock" => ASYNC_LOCK,
        "async-lock-arc" => ASYNC_LOCK_ARC,
        "futures" => FUTURES,
        "futures-owned" => FUTURES_OWNED,
        _ => return None,
    })
}
