//! What is printed: a row for each client, a column for each server, and what was left out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use comfy_table::presets::ASCII_MARKDOWN;
use muxbed::clients::ClientSpec;

use crate::driving::Finished;
use crate::machine::Lacking;

/// The results so far.
#[derive(Default)]
pub(crate) struct Table {
    clients: Vec<String>,
    servers: Vec<String>,
    results: BTreeMap<(String, String), BTreeMap<String, u32>>,
    texts: Vec<String>,
    lacking: Vec<String>,
    failed: bool,
}

impl Table {
    /// Takes down which clients are left out and gives the others.
    pub(crate) fn leave_out_what_lacks(
        &mut self,
        drivers: Vec<(&ClientSpec, Result<PathBuf, Lacking>)>,
    ) -> BTreeMap<ClientSpec, PathBuf> {
        let mut there = BTreeMap::new();
        for (client, driver) in drivers {
            match driver {
                Ok(driver) => drop(there.insert(client.clone(), driver)),
                Err(why) => self.lacks(&client.to_string(), &why),
            }
        }
        there
    }

    pub(crate) fn lacks(&mut self, what: &str, why: &Lacking) {
        self.failed |= matches!(why, Lacking::Failed(_));
        self.lacking.push(format!("skipped: {what}: {why}"));
    }

    /// Whether something was left out that this machine could have had.
    pub(crate) fn has_failures(&self) -> bool {
        self.failed
    }

    pub(crate) fn result(&mut self, finished: &Finished) {
        let client = finished.cell.client.to_string();
        let server = finished.cell.server.to_string();
        if !self.clients.contains(&client) {
            self.clients.push(client.clone());
        }
        if !self.servers.contains(&server) {
            self.servers.push(server.clone());
        }
        let said = match &finished.reported {
            Err(why) => format!("? {why}"),
            Ok(reported) => {
                match reported.rpcs.iter().find_map(|call| call.error.as_ref().map(|text| (call, text))) {
                    None => format!("{} ok", reported.rpcs.len()),
                    Some((call, text)) => format!("{} after {:.0} s", self.letter(text), call.at_s),
                }
            }
        };
        *self.results.entry((client, server)).or_default().entry(said).or_default() += 1;
    }

    /// A name for a text that is too long for the table.
    fn letter(&mut self, text: &str) -> String {
        let known = self.texts.iter().position(|known| known == text);
        let number = known.unwrap_or_else(|| {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        });
        format!("[{}]", number + 1)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(ASCII_MARKDOWN);
        table.set_header(std::iter::once("client").chain(self.servers.iter().map(String::as_str)));
        for client in &self.clients {
            let mut row = vec![client.clone()];
            for server in &self.servers {
                let results = self.results.get(&(client.clone(), server.clone()));
                let said = results
                    .into_iter()
                    .flatten()
                    .map(|(said, times)| if *times > 1 { format!("{times} x {said}") } else { said.clone() });
                row.push(said.collect::<Vec<_>>().join(", "));
            }
            table.add_row(row);
        }
        writeln!(formatter, "{table}")?;
        for (number, text) in self.texts.iter().enumerate() {
            writeln!(formatter, "[{}] {text}", number + 1)?;
        }
        for line in &self.lacking {
            writeln!(formatter, "{line}")?;
        }
        Ok(())
    }
}
