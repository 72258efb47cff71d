
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Acquire = Pin<Box<dyn Future<Output = Guard>>>;

/// A waker that counts, and says who is woken in which order.
struct Wakes {
    task: usize,
    age: usize,
    count: AtomicUsize,
    woken: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut woken = self.woken.lock().expect("nobody panics with it");
        if !woken.contains(&(self.task, self.age)) {
            woken.push((self.task, self.age));
        }
    }
}

/// What a task has: a guard, or a future that it keeps.
enum Has {
    Guard(usize, Guard),
    Kept(&'static str, usize, Acquire),
}

/// What a task waits for: a future of its own, or one that it keeps.
enum Wait {
    Own(usize, Acquire),
    Kept(&'static str),
}

struct Task {
    name: &'static str,
    wakes: Arc<Wakes>,
    wait: Option<Wait>,
    has: Vec<Has>,
    ended: bool,
}

struct Run {
    locks: Vec<(&'static str, Lock)>,
    tasks: Vec<Task>,
    woken: Arc<Mutex<Vec<(usize, usize)>>>,
    seen: Vec<String>,
}

#[allow(dead_code)]
impl Run {
    fn new(locks: &[&'static str], tasks: &[&'static str]) -> Self {
        let woken = Arc::new(Mutex::new(Vec::new()));
        let task = |(index, name): (usize, &&'static str)| Task {
            name,
            wakes: Arc::new(Wakes { task: index, age: 0, count: AtomicUsize::new(0), woken: Arc::clone(&woken) }),
            wait: None,
            has: Vec::new(),
            ended: false,
        };
        Run {
            locks: locks.iter().map(|name| (*name, make())).collect(),
            tasks: tasks.iter().enumerate().map(task).collect(),
            woken: Arc::clone(&woken),
            seen: Vec::new(),
        }
    }

    fn say(&mut self, text: String) {
        println!("{text}");
        self.seen.push(text);
    }

    /// Takes a step of a task, unless it waits or is gone.
    fn step(&mut self, task: usize, text: &str, act: impl FnOnce(&mut Self) -> Option<&'static str>) {
        let is_able = !self.tasks[task].ended && self.tasks[task].wait.is_none();
        let result = if is_able { act(self) } else { None };
        self.say(format!("{text}: {}", result.unwrap_or("not run")));
    }

    fn poll(&mut self, task: usize, future: &mut Acquire) -> Poll<Guard> {
        let waker = Waker::from(Arc::clone(&self.tasks[task].wakes));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wait(&mut self, task: usize, lock: usize, mut future: Acquire) -> Option<&'static str> {
        match self.poll(task, &mut future) {
            Poll::Ready(guard) => {
                drop(future);
                self.tasks[task].has.push(Has::Guard(lock, guard));
                Some("acquired")
            }
            Poll::Pending => {
                self.tasks[task].wait = Some(Wait::Own(lock, future));
                Some("waits")
            }
        }
    }

    fn acquire(&mut self, task: usize, lock: usize) -> Option<&'static str> {
        let future: Acquire = Box::pin(acquire(self.locks[lock].1.clone()));
        self.wait(task, lock, future)
    }

    fn try_acquire(&mut self, task: usize, lock: usize) -> Option<&'static str> {
        match try_acquire(self.locks[lock].1.clone()) {
            Some(guard) => {
                self.tasks[task].has.push(Has::Guard(lock, guard));
                Some("acquired")
            }
            None => Some("refused"),
        }
    }

    fn is_locked(&mut self, lock: usize) -> Option<&'static str> {
        Some(if try_acquire(self.locks[lock].1.clone()).is_some() { "no" } else { "yes" })
    }

    fn take_guard(&mut self, task: usize, lock: usize) -> Option<Guard> {
        let has = &mut self.tasks[task].has;
        let place = has.iter().rposition(|it| matches!(it, Has::Guard(of, _) if *of == lock))?;
        match has.remove(place) {
            Has::Guard(_, guard) => Some(guard),
            Has::Kept(..) => None,
        }
    }

    fn find(&self, task: usize, name: &str) -> Option<usize> {
        self.tasks[task].has.iter().position(|it| matches!(it, Has::Kept(known, ..) if *known == name))
    }

    fn take_kept(&mut self, task: usize, name: &str) -> Option<(usize, Acquire)> {
        let place = self.find(task, name)?;
        match self.tasks[task].has.remove(place) {
            Has::Kept(_, lock, future) => Some((lock, future)),
            Has::Guard(..) => None,
        }
    }

    fn release(&mut self, task: usize, lock: usize) -> Option<&'static str> {
        drop(self.take_guard(task, lock)?);
        Some("released")
    }

    fn release_elsewhere(&mut self, task: usize, lock: usize) -> Option<&'static str> {
        let guard = self.take_guard(task, lock)?;
        std::thread::scope(|scope| {
            scope.spawn(move || drop(guard));
        });
        Some("released")
    }

    fn forget(&mut self, task: usize, lock: usize) -> Option<&'static str> {
        std::mem::forget(self.take_guard(task, lock)?);
        Some("forgotten")
    }

    fn send_guard(&mut self, task: usize, lock: usize, to: usize) -> Option<&'static str> {
        let guard = self.take_guard(task, lock)?;
        if self.tasks[to].ended {
            return Some("dropped");
        }
        self.tasks[to].has.push(Has::Guard(lock, guard));
        Some("sent")
    }

    fn send_kept(&mut self, task: usize, name: &'static str, to: usize) -> Option<&'static str> {
        let (lock, future) = self.take_kept(task, name)?;
        if self.tasks[to].ended {
            return Some("dropped");
        }
        self.tasks[to].has.push(Has::Kept(name, lock, future));
        Some("sent")
    }

    fn prepare(&mut self, task: usize, name: &'static str, lock: usize) -> Option<&'static str> {
        if self.find(task, name).is_some() {
            return None;
        }
        let future: Acquire = Box::pin(acquire(self.locks[lock].1.clone()));
        self.tasks[task].has.push(Has::Kept(name, lock, future));
        Some("prepared")
    }

    fn start(&mut self, task: usize, name: &'static str, lock: usize) -> Option<&'static str> {
        self.prepare(task, name, lock)?;
        self.poll_kept(task, name)
    }

    fn poll_kept(&mut self, task: usize, name: &'static str) -> Option<&'static str> {
        let place = self.find(task, name)?;
        let (lock, mut future) = self.take_kept(task, name)?;
        Some(match self.poll(task, &mut future) {
            Poll::Ready(guard) => {
                drop(future);
                self.tasks[task].has.insert(place, Has::Guard(lock, guard));
                "acquired"
            }
            Poll::Pending => {
                self.tasks[task].has.insert(place, Has::Kept(name, lock, future));
                "pending"
            }
        })
    }

    fn await_kept(&mut self, task: usize, name: &'static str) -> Option<&'static str> {
        let (lock, future) = self.take_kept(task, name)?;
        self.wait(task, lock, future)
    }

    fn await_ref(&mut self, task: usize, name: &'static str) -> Option<&'static str> {
        Some(match self.poll_kept(task, name)? {
            "pending" => {
                self.tasks[task].wait = Some(Wait::Kept(name));
                "waits"
            }
            result => result,
        })
    }

    fn drop_kept(&mut self, task: usize, name: &'static str) -> Option<&'static str> {
        drop(self.take_kept(task, name)?);
        Some("dropped")
    }

    /// Ends a task as a function ends: what it waits for goes first, then what it has, last things first.
    fn end(&mut self, task: usize) {
        self.tasks[task].ended = true;
        drop(self.tasks[task].wait.take());
        while let Some(has) = self.tasks[task].has.pop() {
            drop(has);
        }
    }

    fn panic(&mut self, task: usize) -> Option<&'static str> {
        struct OnUnwind<'a>(&'a mut Run, usize);
        impl Drop for OnUnwind<'_> {
            fn drop(&mut self) {
                self.0.end(self.1);
            }
        }
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _ends = OnUnwind(self, task);
            std::panic::resume_unwind(Box::new("boom"));
        }));
        Some("panicked")
    }

    fn cancel(&mut self, task: usize, text: &str) {
        let result = match self.tasks[task].wait.take() {
            Some(wait) => {
                drop(wait);
                "cancelled"
            }
            None => "not run",
        };
        self.say(format!("{text}: {result}"));
    }

    fn abort(&mut self, task: usize, text: &str) {
        let result = if self.tasks[task].ended { "not run" } else { "aborted" };
        self.end(task);
        self.say(format!("{text}: {result}"));
    }

    /// Polls what a task waits for.
    fn go_on(&mut self, task: usize) {
        self.woken.lock().expect("nobody panics with it").retain(|(woken, _)| *woken != task);
        let granted = match self.tasks[task].wait.take() {
            Some(Wait::Own(lock, future)) => self.wait(task, lock, future) == Some("acquired"),
            Some(Wait::Kept(name)) => self.await_ref(task, name) == Some("acquired"),
            None => false,
        };
        if granted {
            self.say(format!("{} acquired", self.tasks[task].name));
        }
    }

    /// Polls a task that was not woken, with another waker if it is to be.
    fn repoll(&mut self, task: usize, new_waker: bool) {
        if self.tasks[task].ended || self.tasks[task].wait.is_none() {
            return;
        }
        if new_waker {
            let (age, woken) = (self.tasks[task].wakes.age + 1, Arc::clone(&self.woken));
            self.tasks[task].wakes = Arc::new(Wakes { task, age, count: AtomicUsize::new(0), woken });
        }
        self.go_on(task);
    }

    /// Polls the woken, in the order of their wakes, until nobody is woken.
    fn settle(&mut self) {
        loop {
            let mut woken = self.woken.lock().expect("nobody panics with it");
            if woken.is_empty() {
                return;
            }
            let (task, age) = woken.remove(0);
            drop(woken);
            if age == self.tasks[task].wakes.age {
                self.go_on(task);
            }
        }
    }

    fn try_all(&mut self, when: &str) {
        for lock in 0..self.locks.len() {
            let guard = try_acquire(self.locks[lock].1.clone());
            let result = if guard.is_some() { "free" } else { "refused" };
            drop(guard);
            self.settle_quietly();
            self.say(format!("{when}: {} {result}", self.locks[lock].0));
        }
    }

    fn settle_quietly(&mut self) {
        let said = self.seen.len();
        self.settle();
        self.seen.truncate(said);
    }

    /// Has everybody let go: waits first, then kept futures, then guards.
    fn let_go(&mut self) {
        loop {
            let mut changed = false;
            for round in 0..3 {
                for task in 0..self.tasks.len() {
                    if round == 0 {
                        changed |= self.tasks[task].wait.take().is_some();
                    } else {
                        let goes = |it: &Has| matches!(it, Has::Kept(..)) == (round == 1);
                        while let Some(place) = self.tasks[task].has.iter().rposition(goes) {
                            drop(self.tasks[task].has.remove(place));
                            changed = true;
                        }
                    }
                    self.settle_quietly();
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Tries each lock while all still hold and wait and again after all let go, and compares what was seen.
    fn finish(mut self, expected: &[&str]) {
        self.try_all("probe");
        self.let_go();
        self.try_all("rest");
        let wakes: Vec<String> = self
            .tasks
            .iter()
            .map(|task| format!("{} {}", task.name, task.wakes.count.load(Ordering::Relaxed)))
            .collect();
        println!("wakes: {}", wakes.join(", "));
        let is_same = self.seen == expected;
        println!("{}", if is_same { "as found" } else { "NOT as found" });
        std::process::exit(if is_same { 0 } else { 1 });
    }
}
