//! A live object behind an adapter, and an operation on it, with the types of the lock library erased.
//!
//! An operation *is* its guard once it is granted: the library's own future and guard live in one suspended frame,
//! as they do in a user's `async fn`, and dropping the frame drops the guard. So borrowed guards need neither `unsafe`
//! nor a second allocation.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::primitive::{Place, Request};

/// A live object that tasks share, such as one mutex.
pub trait Object: Send + Sync {
    /// Makes an operation that does `request` at `place`. Nothing is polled and nothing is taken yet.
    ///
    /// A blocking operation blocks inside its first poll.
    fn operation(self: Arc<Self>, request: Request, place: Place) -> Operation;

    /// Tries it from outside, and gives back at once what it got; calls `tried` in between with whether it was free.
    /// Only for a primitive that can be tried.
    ///
    /// By default with an operation, which may be more than a try needs.
    fn probe(self: Arc<Self>, tried: &mut dyn FnMut(bool)) {
        let mut operation = self.operation(Request::TryAcquire, Place::Task);
        operation.object = touched();
        tried(operation.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(Reply::Granted));
    }
}

/// An operation on an object: a future until it has replied, and after [`Reply::Granted`] the guard.
///
/// Dropping it cancels it, or releases what it was granted.
pub struct Operation {
    /// Only a drop takes it out.
    frame: Option<Pin<Box<dyn Future<Output = Reply> + Send>>>,
    /// Which of a program's objects it works on.
    object: Option<usize>,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was granted: the operation is the guard now.
    Granted,
    /// It gave an error instead.
    Refused(Message),
    /// It was a question, and this is the answer, verbatim.
    Answer(String),
    /// The library has no such operation.
    Unsupported,
}

/// The text of an error or a panic, verbatim but for the numbers of tasks.
///
/// Most events have none, so it is as small as can be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Texts", into = "Texts")]
pub struct Message(Option<Box<Texts>>);

/// What a [`Message`] says, and how it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Message")]
struct Texts {
    /// What `{}` prints, if the value can be displayed.
    display: Option<String>,
    /// What `{:?}` prints.
    debug: Option<String>,
}

impl Message {
    /// Returns the message of an error.
    pub fn of(error: &(impl fmt::Display + fmt::Debug)) -> Self {
        Texts { display: Some(error.to_string()), debug: Some(format!("{error:?}")) }.into()
    }

    /// Returns a message that has only one text.
    pub fn text(text: impl Into<String>) -> Self {
        Texts { display: Some(text.into()), debug: None }.into()
    }

    /// Returns the message of an error that cannot be displayed.
    pub fn debug_of(error: &impl fmt::Debug) -> Self {
        Texts { display: None, debug: Some(format!("{error:?}")) }.into()
    }

    /// Returns the message of a refusal that carries no value, such as `None`.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns what `{}` prints, if there is such a text, and what `{:?}` prints, if that was asked for.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|texts| texts.display.iter().chain(&texts.debug)).map(String::as_str)
    }
}

impl From<Texts> for Message {
    fn from(texts: Texts) -> Self {
        Self((texts != Texts::default()).then(|| Box::new(texts)))
    }
}

impl From<Message> for Texts {
    fn from(message: Message) -> Self {
        message.0.map_or_else(Self::default, |texts| *texts)
    }
}

impl JsonSchema for Message {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Texts::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Texts::json_schema(generator)
    }
}

thread_local! {
    /// Set by a frame that has just suspended with a guard in its hands, and taken by the operation that polled it.
    static HOLDING: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// The object whose library is at work on this thread.
    static TOUCHED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Returns which of a program's objects is being polled or dropped on this thread right now, the innermost if one is
/// inside another. A wake that comes meanwhile comes from that object.
pub fn touched() -> Option<usize> {
    TOUCHED.get()
}

/// Says, until it is dropped, that an object is being touched.
pub(crate) struct Touch {
    before: Option<usize>,
}

impl Touch {
    pub(crate) fn new(object: Option<usize>) -> Self {
        Self { before: TOUCHED.replace(object) }
    }
}

impl Drop for Touch {
    fn drop(&mut self) {
        TOUCHED.set(self.before);
    }
}

/// What happens to a guard that goes from one task to another, told in the task that it happens in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// Its task gives it away.
    Sent,
    /// A task has it now.
    Received,
}

thread_local! {
    /// What a frame that holds is told, while it is polled for nothing else.
    static HANDOVER: Cell<Option<Handover>> = const { Cell::new(None) };
}

/// Returns whether the frame that was polled last on this thread has just suspended in [`hold`]. Asked once.
pub(crate) fn took_hold() -> bool {
    HOLDING.take()
}

/// Suspends a frame for ever, with all that it holds. The frame's operation then replies [`Reply::Granted`].
///
/// An adapter's frame awaits this while it holds its guard; only dropping the frame ends it.
pub async fn hold() -> Reply {
    hold_and(|_| ()).await
}

/// The same for a guard that can be told, by `hand_over`, when it goes to another task.
pub async fn hold_and(mut hand_over: impl FnMut(Handover)) -> Reply {
    std::future::poll_fn(|_| {
        HANDOVER.take().into_iter().for_each(&mut hand_over);
        HOLDING.set(true);
        Poll::Pending
    })
    .await
}

impl Operation {
    /// Returns the operation that runs `frame`: it replies what the frame returns, or [`Reply::Granted`] when the frame
    /// awaits [`hold`].
    pub fn new(frame: impl Future<Output = Reply> + Send + 'static) -> Self {
        Self { frame: Some(Box::pin(frame)), object: None }
    }

    /// Returns the same operation, known to work on an object of a program.
    pub fn on(self, object: usize) -> Self {
        let mut operation = self;
        operation.object = Some(object);
        operation
    }

    /// Polls the operation once. It must not be polled again after it has replied.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        let _touch = Touch::new(self.object);
        match self.frame.as_mut().expect("only a drop takes the frame out").as_mut().poll(cx) {
            Poll::Ready(reply) => Poll::Ready(reply),
            Poll::Pending if HOLDING.take() => Poll::Ready(Reply::Granted),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Operation {
    /// Tells a guard that it goes to another task. Only after [`Reply::Granted`].
    pub(crate) fn hand_over(&mut self, how: Handover) {
        handing_over(how, |cx| self.poll(cx) == Poll::Ready(Reply::Granted));
    }
}

/// Tells a guard that it goes to another task, by a poll of its frame: that is suspended for ever, so it can do nothing
/// but hear this. `poll` returns whether it still holds.
pub(crate) fn handing_over(how: Handover, poll: impl FnOnce(&mut Context<'_>) -> bool) {
    HANDOVER.set(Some(how));
    let holds = poll(&mut Context::from_waker(Waker::noop()));
    HANDOVER.take();
    debug_assert!(holds, "a guard is no future any more");
}

impl Drop for Operation {
    fn drop(&mut self) {
        let _touch = Touch::new(self.object);
        drop(self.frame.take());
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}
