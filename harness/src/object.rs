//! A live object behind an adapter, and an operation on it, with the types of the lock library erased.
//!
//! An operation *is* its guard once it is granted: the library's own future and guard live in one suspended frame,
//! as they do in a user's `async fn`, and dropping the frame drops the guard. So borrowed guards need neither `unsafe`
//! nor a second allocation.

use std::cell::{Cell, RefCell};
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

    /// Tries it from outside by `request`, which never waits, and gives back at once what it got; calls `tried` in
    /// between with whether it got something.
    ///
    /// By default with an operation, which may be more than a try needs.
    fn probe(self: Arc<Self>, request: Request, tried: &mut dyn FnMut(bool)) {
        let mut operation = self.operation(request, Place::Task);
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
    /// Whether its frame awaits [`made`].
    is_made_first: bool,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was granted: the operation is the guard now.
    Granted,
    /// It changed the object, and gave this number if it gave one.
    Changed(Option<u64>),
    /// It gave an error instead.
    Refused(Message),
    /// It was a question, and this is the answer.
    Answer(Answer),
    /// The library has no such operation.
    Unsupported,
}

/// Answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes or no.
    Flag(bool),
    /// A number, which may be below zero where a debt is allowed.
    Number(i64),
    /// A text, verbatim.
    Text(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Flag(true) => f.pad("yes"),
            Answer::Flag(false) => f.pad("no"),
            Answer::Number(number) => number.fmt(f),
            Answer::Text(text) => f.pad(text),
        }
    }
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

/// What a held guard is to do, in the task that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Its task gives it away.
    Sent,
    /// A task has it now.
    Received,
    /// It is given up for good, in the library's own way if there is one.
    Forget,
    /// It turns into a guard of another mode.
    Turn(Request),
}

thread_local! {
    /// The order for the frame that is polled now.
    static ORDER: Cell<Option<Order>> = const { Cell::new(None) };
    /// What came of the order, if it was not carried out.
    static NOT_DONE: RefCell<Option<Reply>> = const { RefCell::new(None) };
}

/// Suspends a frame with all that it holds until its guard gets an order. The frame's operation replies
/// [`Reply::Granted`] meanwhile.
///
/// An adapter whose guards can do something awaits this again and again; a frame that gets no order is dropped here.
pub async fn next_order() -> Order {
    std::future::poll_fn(|_| match ORDER.take() {
        Some(order) => Poll::Ready(order),
        None => {
            HOLDING.set(true);
            Poll::Pending
        }
    })
    .await
}

/// Says that the last order was refused, or that the library lacks it: the frame holds on to its guard.
pub fn not_done(reply: Reply) {
    NOT_DONE.set(Some(reply));
}

thread_local! {
    /// Whether the frame that is polled now is to suspend once it has made the library's future.
    static PREPARING: Cell<bool> = const { Cell::new(false) };
}

/// Suspends a frame once between the making of the library's future and its first poll, if its operation is only
/// prepared; passes at once otherwise. A frame awaits this behind the library's call, so that whatever a library does
/// when a future is made is done by then.
pub async fn made() {
    std::future::poll_fn(|_| if PREPARING.take() { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Awaits the future that the library has made, behind a [`made`]; `None` if the library makes none. A frame that is
/// only prepared suspends in either case.
pub async fn awaited<T>(future: Option<impl Future<Output = T>>) -> Option<T> {
    made().await;
    match future {
        Some(future) => Some(future.await),
        None => None,
    }
}

/// Polls a frame up to its [`made`]: the library makes its future, and nothing polls it. `poll` polls the frame once.
pub(crate) fn preparing(poll: impl FnOnce(&mut Context<'_>) -> bool) {
    PREPARING.set(true);
    // Also if the library's call panics.
    let _unset = Unset;
    let is_pending = poll(&mut Context::from_waker(Waker::noop()));
    debug_assert!(is_pending, "a frame suspends when its future is made");
}

/// Ends the preparing of a frame.
struct Unset;

impl Drop for Unset {
    fn drop(&mut self) {
        PREPARING.set(false);
    }
}

/// Returns whether the frame that was polled last on this thread has just suspended in [`hold`]. Asked once.
pub(crate) fn took_hold() -> bool {
    HOLDING.take()
}

/// Suspends a frame for ever, with all that it holds. The frame's operation then replies [`Reply::Granted`].
///
/// An adapter's frame awaits this while it holds its guard; only dropping the frame ends it.
pub async fn hold() -> Reply {
    hold_and(|order| match order {
        Order::Sent | Order::Received => {}
        Order::Forget | Order::Turn(_) => not_done(Reply::Unsupported),
    })
    .await
}

/// The same for a guard that takes orders, by `obey`.
pub async fn hold_and(mut obey: impl FnMut(Order)) -> Reply {
    loop {
        obey(next_order().await);
    }
}

impl Operation {
    /// Returns the operation that runs `frame`: it replies what the frame returns, or [`Reply::Granted`] when the frame
    /// awaits [`hold`].
    pub fn new(frame: impl Future<Output = Reply> + Send + 'static) -> Self {
        Self { frame: Some(Box::pin(frame)), object: None, is_made_first: false }
    }

    /// Returns the operation that runs `frame`, which awaits [`made`] when the library has made its future.
    pub fn made_first(frame: impl Future<Output = Reply> + Send + 'static) -> Self {
        let mut operation = Self::new(frame);
        operation.is_made_first = true;
        operation
    }

    /// Has the library make its future, which is not polled. Only before the first poll, and only of an operation that
    /// waits.
    pub fn prepare(&mut self) {
        if self.is_made_first {
            preparing(|cx| self.poll(cx).is_pending());
        }
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
    /// Gives an order that is carried out at once to a guard. Only after [`Reply::Granted`].
    pub(crate) fn hand_over(&mut self, order: Order) {
        handing_over(order, |cx| self.poll(cx) == Poll::Ready(Reply::Granted));
    }

    /// Has a guard forgotten in the library's own way, or leaks it. Only after [`Reply::Granted`].
    pub(crate) fn forget(mut self) {
        ORDER.set(Some(Order::Forget));
        let _ = self.poll(&mut Context::from_waker(Waker::noop()));
        match ORDER.take() {
            // The frame ignores orders, or there is no such call.
            Some(_) => std::mem::forget(self),
            None if NOT_DONE.take().is_some() => std::mem::forget(self),
            None => drop(self),
        }
    }

    /// Gives the order to turn into another mode to a guard, and polls once; `None` if the guard holds on as it was,
    /// and the reply says why. Only after [`Reply::Granted`].
    pub(crate) fn turn(&mut self, request: Request, cx: &mut Context<'_>) -> Poll<Result<(), Reply>> {
        ORDER.set(Some(Order::Turn(request)));
        let polled = self.poll(cx);
        if ORDER.take().is_some() {
            return Poll::Ready(Err(Reply::Unsupported));
        }
        match (NOT_DONE.take(), polled) {
            (Some(reply), _) => Poll::Ready(Err(reply)),
            (None, Poll::Pending) => Poll::Pending,
            (None, Poll::Ready(_)) => Poll::Ready(Ok(())),
        }
    }
}

/// Gives an order that is carried out at once to a guard, by a poll of its frame. `poll` returns whether it still
/// holds.
pub(crate) fn handing_over(order: Order, poll: impl FnOnce(&mut Context<'_>) -> bool) {
    ORDER.set(Some(order));
    let holds = poll(&mut Context::from_waker(Waker::noop()));
    ORDER.take();
    NOT_DONE.take();
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
