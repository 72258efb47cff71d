//! The lock, held to the scenarios of keyalike on two runtimes.

use fair_mutex::{FairMutex, Guard};
use keyalike::{AsyncMutex, Message, MutexCapabilities};

struct Adapter(FairMutex<()>);

impl AsyncMutex for Adapter {
    type Guard<'a> = Guard<'a, ()>;
    const CAPABILITIES: MutexCapabilities = MutexCapabilities::plain().with_is_locked();

    fn new() -> Self {
        Self(FairMutex::new(()))
    }

    fn acquire(&self) -> impl Future<Output = Result<Guard<'_, ()>, Message>> + Send {
        let acquired = self.0.lock();
        async move { Ok(acquired.await) }
    }

    fn try_acquire(&self) -> Result<Guard<'_, ()>, Message> {
        self.0.try_lock().ok_or_else(Message::none)
    }

    fn is_locked(&self) -> bool {
        self.0.is_locked()
    }

    fn debug(&self) -> String {
        format!("{:?}", self.0)
    }
}

keyalike::test_lock!(
    lock: Adapter,
    runtimes: [smol(), tokio()],
    suites: ["reentry", "cancellation", "fairness", "guard-drop", "intra-task", "wakers"],
);
