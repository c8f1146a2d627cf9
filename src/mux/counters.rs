//! Counts what a multiplexer does, and says it as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::classifier::Route;
use super::observer::{AfterFailure, Closed, Observer};

/// An observer that counts. Display gives the text format of Prometheus (0.0.4).
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    accept_failures: AtomicU64,
    early_settings: AtomicU64,
    closed: [AtomicU64; Closed::REASONS.len()],
    routed: Mutex<BTreeMap<Route, u64>>,
}

impl Counters {
    /// How many connections were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How often accepting one failed.
    pub fn accept_failures(&self) -> u64 {
        self.accept_failures.load(Ordering::Relaxed)
    }

    /// How many connections belonged to a route.
    pub fn routed(&self, route: &str) -> u64 {
        let routed = self.routed.lock().unwrap_or_else(PoisonError::into_inner);
        routed.get(&Route::new(route)).copied().unwrap_or(0)
    }

    /// How many connections were closed for this reason, one of [`Closed::REASONS`].
    pub fn closed(&self, reason: &str) -> u64 {
        let number = Closed::REASONS.iter().position(|known| *known == reason);
        number.map_or(0, |number| self.closed[number].load(Ordering::Relaxed))
    }
}

impl Observer for Counters {
    fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    fn accept_failed(&self, _error: &io::Error) -> AfterFailure {
        self.accept_failures.fetch_add(1, Ordering::Relaxed);
        AfterFailure::GoOn
    }

    fn waits_for_headers(&self) {
        self.early_settings.fetch_add(1, Ordering::Relaxed);
    }

    fn routed(&self, route: &Route, _bytes: usize) {
        let mut routed = self.routed.lock().unwrap_or_else(PoisonError::into_inner);
        match routed.get_mut(route) {
            Some(count) => *count += 1,
            None => drop(routed.insert(route.clone(), 1)),
        }
    }

    fn closed(&self, why: &Closed) {
        self.closed[why.number()].fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut single = |name: &str, help: &str, value: u64| {
            writeln!(
                formatter,
                "# HELP muxbed_{name} {help}\n# TYPE muxbed_{name} counter\nmuxbed_{name} {value}"
            )
        };
        single("accepted_total", "Connections accepted.", self.accepted())?;
        single("accept_failures_total", "Connections that could not be accepted.", self.accept_failures())?;
        let early = self.early_settings.load(Ordering::Relaxed);
        single(
            "early_settings_total",
            "Connections that got SETTINGS before their back end was known.",
            early,
        )?;
        formatter.write_str(
            "# HELP muxbed_routed_total Connections that belong to a route.\n# TYPE muxbed_routed_total counter\n",
        )?;
        for (route, count) in self.routed.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            formatter.write_str("muxbed_routed_total{route=\"")?;
            for character in route.name().chars() {
                match character {
                    '\\' | '"' => write!(formatter, "\\{character}")?,
                    '\n' => formatter.write_str("\\n")?,
                    other => formatter.write_char(other)?,
                }
            }
            writeln!(formatter, "\"}} {count}")?;
        }
        formatter.write_str(
            "# HELP muxbed_closed_total Connections closed without a back end.\n# TYPE muxbed_closed_total counter\n",
        )?;
        for (reason, count) in Closed::REASONS.iter().zip(&self.closed) {
            writeln!(
                formatter,
                "muxbed_closed_total{{reason=\"{reason}\"}} {}",
                count.load(Ordering::Relaxed)
            )?;
        }
        Ok(())
    }
}
