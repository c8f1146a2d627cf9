//! How a scenario is run: who takes part, over what, and under which schedules.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::bed::replay::{Names, Replayed, replay_one};
use crate::bed::run::{Caller, MOST_EVENTS, Setting};
use crate::bed::schedule::Schedule;
use crate::bed::{Run, outcome_of};
use crate::clients::Plan;
use crate::script::Transport;

use super::{Conversation, Party, Scenario, Who, flow_name};

impl Scenario {
    /// What its one client sends on its first connection, when nobody takes any time.
    pub(in crate::bed) fn first_flight(&self) -> Vec<Bytes> {
        let runs = self.run_all_once(MOST_EVENTS).into_iter();
        runs.flat_map(|run| run.ending.flight).collect()
    }

    pub(super) fn run_together(&self) -> Vec<Run> {
        let drawn = (1..=self.drawn).map(|number| Schedule::searched(self.seed.unwrap_or_default(), number));
        self.run_under(
            |builds| Schedule::family(builds, self.seed).into_iter().chain(drawn).collect(),
            MOST_EVENTS,
        )
    }

    /// Runs those that connect at the same time under the schedules that there are for a client of so many builds.
    #[track_caller]
    pub(super) fn run_under(
        &self,
        schedules: impl FnOnce(usize) -> Vec<Schedule>,
        most_events: usize,
    ) -> Vec<Run> {
        let (server, start) =
            self.server.as_ref().expect("a scenario needs a server; name one with `.server(..)`");
        let parties: Vec<&Party> = self.clients.iter().chain(&self.afterwards).collect();
        let callers: Vec<Option<Caller>> = parties.iter().map(|party| self.caller(party)).collect();
        let able: Vec<bool> = callers.iter().map(Option::is_some).collect();
        let come_first = able[..self.clients.len()].iter().filter(|able| **able).count();
        let names = parties.iter().zip(&able).filter(|(_, able)| **able);
        let names: Vec<&str> = names.map(|(party, _)| party.name.as_str()).collect();
        let clients: Vec<Caller> = callers.into_iter().flatten().collect();
        let builds = clients.iter().map(Caller::builds).max().unwrap_or(1);
        let (network, start) = (self.network.clone(), Arc::clone(start));
        let setting = Setting { clients, come_first, network, start, most_events };
        let mut runs = outcome_of(&setting, &names, server, &schedules(builds)).into_iter();
        let unable = |party: &Party| Run::over_unknown_tls(&party.name, server);
        let all = parties.into_iter().zip(&able);
        all.filter_map(|(party, able)| if *able { runs.next() } else { Some(unable(party)) }).collect()
    }

    pub(super) fn run_recorded(&self, conversation: &Conversation) -> Run {
        let Conversation { flow, client, named_after, tls } = conversation;
        let names = Names { run_as: None, named_after: named_after.as_ref() };
        let client = client.as_ref().map_err(|why| *why);
        let Replayed { run, skipped, .. } = replay_one(*flow, client, *tls, self, names);
        run.unwrap_or_else(|| {
            let reason = skipped.map(|unusable| unusable.to_string());
            Run::unsupported(flow_name(*flow), self.server_name(), reason.unwrap_or_default())
        })
    }

    /// What reports call the server; nothing if none was named.
    pub(in crate::bed) fn server_name(&self) -> String {
        self.server.as_ref().map(|(name, _)| name.clone()).unwrap_or_default()
    }

    /// What a client does, unless it has to speak TLS and nobody knows how it does.
    fn caller(&self, party: &Party) -> Option<Caller> {
        let over_tls = party.over.map_or(self.over_tls, |over| over == Transport::Tls);
        let plan = match &party.who {
            Who::Real(client) => return Some(Caller::Real(Arc::clone(client))),
            Who::Known(client) if over_tls => client.plan_over_tls(&self.authority, self.work),
            Who::Known(client) => Some(client.plan(&self.authority, self.work)),
            Who::Ladder(behaviour, lists) => {
                let hello = behaviour.tls.clone();
                let behaviour = Cow::Owned(behaviour.as_ref().clone());
                let lists = Cow::Owned(lists.clone());
                let plan = Plan::new(behaviour, lists, "", &self.authority, self.work);
                Some(match hello {
                    Some(hello) => plan.over_tls(hello),
                    None => plan,
                })
            }
        };
        plan.map(|plan| Caller::Simulated(Arc::new(plan)))
    }
}
