//! What comes of an operation and of a scripted panic, as the transcript says it.

use std::any::Any;

use super::run::Kept;
use crate::object::{Answer, Reply};
use crate::primitive::{Effect, Request};
use crate::program::ObjectIndex;
use crate::transcript::What;

/// What a scripted panic says.
pub(super) fn boom() -> &'static str {
    std::str::from_utf8(&BOOM).expect("it is ASCII")
}

/// Its address tells a scripted panic from one of a lock that happens to say the same.
static BOOM: [u8; 4] = *b"boom";

/// Returns whether the script has asked for a panic, of a task or of a waker.
pub(super) fn is_scripted(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<&'static str>().is_some_and(|text| std::ptr::eq(text.as_ptr(), BOOM.as_ptr()))
}

/// Returns the event of a reply.
pub(super) fn what(object: ObjectIndex, request: Request, future: Kept, reply: &Reply) -> What {
    match reply {
        Reply::Granted if request.turns() => What::Turned { object, request },
        Reply::Granted => What::Acquired { object, future, wait: request.waits(), claim: request.claim() },
        Reply::Changed(number) => What::Changed { object, request, number: *number },
        Reply::Refused(message) => {
            What::Refused { object, future, wait: request.waits(), message: message.clone(), claim: request.claim() }
        }
        Reply::Answer(answer) => match (request.verb().effect, answer) {
            (Effect::AskHeld, Answer::Flag(locked)) => What::Answered { object, locked: *locked },
            (Effect::Print, Answer::Text(text)) => What::Printed { object, text: text.clone() },
            _ => What::Replied { object, request, answer: answer.clone() },
        },
        Reply::Unsupported => What::Unsupported,
    }
}
