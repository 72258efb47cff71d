//! What the engine needs of a lock library: objects, and slots in which operations and guards live.
//!
//! An operation is its guard once it is granted, as in [`crate::object`]. A slot is reused from run to run, so that an
//! exploration allocates no more than the lock does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driver::MakeObject;
use crate::object::{Answer, Object, Operation, Reply, preparing, took_hold};
use crate::primitive::{Declaration, Place, Primitive, Request};

/// What a poll came to: no more of it than the engine asks for, which has millions of them a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    Pending,
    /// The slot holds a guard now.
    Granted,
    /// There was an error instead.
    Refused,
    /// It was a question, and the answer is yes, or is not.
    Answered(bool),
}

impl From<Poll<Reply>> for Polled {
    fn from(reply: Poll<Reply>) -> Self {
        match reply {
            Poll::Pending => Polled::Pending,
            Poll::Ready(Reply::Granted) => Polled::Granted,
            Poll::Ready(Reply::Answer(answer)) => Polled::Answered(answer == Answer::Flag(true)),
            Poll::Ready(Reply::Refused(_) | Reply::Unsupported) => Polled::Refused,
            Poll::Ready(Reply::Changed(_)) => Polled::Answered(true),
        }
    }
}

/// A lock library as the engine uses it.
pub(crate) trait Subject: Send + 'static {
    /// A live object that tasks share.
    type Object: Send;
    /// Where one operation, and then its guard, lives.
    type Slot: Send;

    /// Makes a free object, or `None` where the library has no such primitive.
    fn object(&self, declared: Declaration) -> Option<Self::Object>;

    /// Returns an empty slot.
    fn slot(&self) -> Self::Slot;

    /// Puts an operation into an empty slot. Nothing is polled.
    fn begin(&self, slot: &mut Self::Slot, object: &Self::Object, request: Request);

    /// Has the library make the future of the operation in a slot, which was not polled yet.
    fn prepare(slot: &mut Self::Slot);

    /// Polls the operation in a slot.
    fn poll(slot: &mut Self::Slot, cx: &mut Context<'_>) -> Polled;

    /// Drops what is in a slot: the operation, or its guard.
    fn clear(slot: &mut Self::Slot);

    /// Takes what is in a slot out with its slot, and leaves an empty one. It does not move.
    fn take(&self, slot: &mut Self::Slot) -> Self::Slot {
        std::mem::replace(slot, self.slot())
    }

    /// Tries an object and lets go of it; calls `tried` in between with whether it was free.
    fn probe(&self, object: &Self::Object, request: Request, tried: &mut dyn FnMut(bool));
}

/// A library of which one primitive is explored with its own types: frames of the type `F`, made by `frame`.
pub(crate) struct Typed<M, F> {
    pub(crate) primitive: Primitive,
    pub(crate) make: fn() -> M,
    pub(crate) frame: fn(Arc<M>, Request) -> F,
    /// See [`Subject::probe`].
    pub(crate) probe: fn(&M, Request, &mut dyn FnMut(bool)),
}

impl<M, F> Subject for Typed<M, F>
where
    M: Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    type Object = Arc<M>;
    type Slot = Pin<Box<Option<F>>>;

    fn object(&self, declared: Declaration) -> Option<Arc<M>> {
        (declared.primitive == self.primitive).then(|| Arc::new((self.make)()))
    }

    fn slot(&self) -> Self::Slot {
        Box::pin(None)
    }

    fn begin(&self, slot: &mut Self::Slot, object: &Arc<M>, request: Request) {
        slot.set(Some((self.frame)(Arc::clone(object), request)));
    }

    fn prepare(slot: &mut Self::Slot) {
        let frame = slot.as_mut().as_pin_mut().expect("only an operation that was begun is prepared");
        preparing(|cx| frame.poll(cx).is_pending());
    }

    fn poll(slot: &mut Self::Slot, cx: &mut Context<'_>) -> Polled {
        let frame = slot.as_mut().as_pin_mut().expect("only an operation that was begun is polled");
        match frame.poll(cx) {
            Poll::Pending if took_hold() => Polled::Granted,
            Poll::Pending => Polled::Pending,
            reply => reply.into(),
        }
    }

    fn clear(slot: &mut Self::Slot) {
        slot.set(None);
    }

    fn probe(&self, object: &Arc<M>, request: Request, tried: &mut dyn FnMut(bool)) {
        (self.probe)(object, request, tried);
    }
}

/// A library whose types are erased: any primitive, an allocation for each operation.
pub(crate) struct Erased(pub(crate) MakeObject);

impl Subject for Erased {
    type Object = Arc<dyn Object>;
    type Slot = Option<Operation>;

    fn object(&self, declared: Declaration) -> Option<Arc<dyn Object>> {
        (self.0)(declared)
    }

    fn slot(&self) -> Self::Slot {
        None
    }

    fn begin(&self, slot: &mut Self::Slot, object: &Arc<dyn Object>, request: Request) {
        *slot = Some(Arc::clone(object).operation(request, Place::Task));
    }

    fn prepare(slot: &mut Self::Slot) {
        slot.as_mut().expect("only an operation that was begun is prepared").prepare();
    }

    fn poll(slot: &mut Self::Slot, cx: &mut Context<'_>) -> Polled {
        slot.as_mut().expect("only an operation that was begun is polled").poll(cx).into()
    }

    fn clear(slot: &mut Self::Slot) {
        // Taken out first: what a guard's drop panics with leaves an empty slot.
        drop(slot.take());
    }

    fn probe(&self, object: &Arc<dyn Object>, request: Request, tried: &mut dyn FnMut(bool)) {
        Arc::clone(object).probe(request, tried);
    }
}
