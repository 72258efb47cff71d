//! Prints which model catches which mutation, as the table of the crate's docs. Takes a minute or two.

use keyalike_model::hub::mutant;
use keyalike_model::models::MODELS;
use keyalike_model::mutation::MUTATIONS;
use keyalike_model::stage::{EndOrder, Setting, check};

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let late = Setting { end_order: EndOrder::ReportsFirst, ..Setting::FAITHFUL };
    let mutants = MUTATIONS.iter().map(|mutation| {
        let setting = Setting { make: mutant(mutation.name), ..Setting::FAITHFUL };
        (mutation.name, setting)
    });
    for (name, setting) in
        [("(faithful)", Setting::FAITHFUL), ("(reports the end first)", late)].into_iter().chain(mutants)
    {
        let caught = MODELS.iter().filter_map(|&model| check(model, setting).err().map(|text| (model.name, text)));
        for (model, text) in caught {
            println!("{name} | {model} | {}", text.lines().next().unwrap_or_default());
        }
        println!("{name} done");
    }
}
