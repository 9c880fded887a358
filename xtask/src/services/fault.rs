//! Kills a server and starts it again, for tests of what a fault does.
//!
//! A test calls the program that the variable `STOCKLEDGER_TEST_SERVICES` names: `services kill kafka3 2` returns when broker 2
//! is gone, as after a crash, `services start kafka3 2` when it answers again, at its port and with its data. Without a
//! number they mean the whole server, and what does not run of it. `services pause` lets a server stand still, and
//! `services resume` go on. Only what was started here can be killed: the addresses that
//! the environment gives are compared, not used.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::member::Member;
use super::state::{Detour, Service, State};
use super::{Kind, Waiting, probe, wait_for, wait_until_it_answers};

/// Kills one member of a server, counted from 1, or all of it.
pub(crate) fn kill(root: &Path, kind: Kind, number: Option<usize>) -> Result<()> {
    let state = State::open(root)?;
    let service = ours(&state, kind)?;
    let mut killed = chosen(service, number)?.into_iter().map(|index| &service.members[index]);
    killed.try_for_each(|member| member.kill().with_context(|| format!("killing {kind}")))
}

/// Starts what does not run of a server, or one member of it, and waits until that answers.
pub(crate) fn start(root: &Path, kind: Kind, number: Option<usize>) -> Result<()> {
    let mut state = State::open(root)?;
    let service = ours(&state, kind)?;
    let members = &service.members;
    let stopped: Vec<usize> =
        chosen(service, number)?.into_iter().filter(|index| !members[*index].is_running()).collect();
    for index in &stopped {
        state.change(kind, |service| service.members[*index].start())?;
    }
    let service = ours(&state, kind)?;
    let running_count = service.members.iter().filter(|member| member.is_running()).count();
    if running_count == service.members.len() {
        return wait_until_it_answers(&state, kind);
    }
    let answers = |index| probe::one_answers(kind, &service.address, index, running_count);
    stopped.into_iter().try_for_each(|index| {
        let members = &service.members[index..=index];
        wait_for(&Waiting { kind, address: &service.address, members }, || answers(index))
    })
}

/// Lets one member of a server stand still, or all of it: it answers nobody and forgets nothing.
pub(crate) fn pause(root: &Path, kind: Kind, number: Option<usize>) -> Result<()> {
    each(root, kind, number, Member::pause).with_context(|| format!("pausing {kind}"))
}

/// Lets go on what was paused.
pub(crate) fn resume(root: &Path, kind: Kind, number: Option<usize>) -> Result<()> {
    each(root, kind, number, Member::resume).with_context(|| format!("resuming {kind}"))
}

fn each(root: &Path, kind: Kind, number: Option<usize>, act: fn(&Member) -> Result<()>) -> Result<()> {
    let state = State::open(root)?;
    let service = ours(&state, kind)?;
    chosen(service, number)?.into_iter().try_for_each(|index| act(&service.members[index]))
}

/// The detours of a server that runs here.
pub(crate) fn detours(root: &Path, kind: Kind) -> Result<Vec<Detour>> {
    Ok(ours(&State::open(root)?, kind)?.detours.clone())
}

/// A service that runs at the address that the environment gives, if it gives one.
fn ours(state: &State, kind: Kind) -> Result<&Service> {
    let service = state.find(kind);
    let service = service.with_context(|| {
        format!("{kind} was not started here: `cargo xtask services up {kind}` starts one that can be killed")
    })?;
    let given = kind.given_address();
    ensure!(
        given.as_ref().is_none_or(|given| *given == service.address),
        "{kind} at {}, given by {}, was not started here and cannot be killed: take the variable away, and \
         `cargo xtask services up {kind}` starts one that can",
        given.unwrap_or_default(),
        kind.variable()
    );
    Ok(service)
}

/// The indices of the members that a number means, or of all.
fn chosen(service: &Service, number: Option<usize>) -> Result<Vec<usize>> {
    let count = service.members.len();
    let Some(number) = number else {
        return Ok((0..count).collect());
    };
    ensure!((1..=count).contains(&number), "{} has members 1 to {count}, and no {number}", service.kind);
    Ok(vec![number - 1])
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::super::member::Member;
    use super::super::process::Process;
    use super::{Kind, Service, State, chosen, kill, start};

    fn service(members: usize) -> Service {
        let member = |_| Member::Process(Process::new(Command::new("server"), "server.log".into()));
        Service::new(Kind::Kafka3, "127.0.0.1:1".to_owned(), (0..members).map(member).collect())
    }

    #[test]
    fn a_member_is_named_by_its_number_from_one() {
        let service = service(3);
        assert_eq!(chosen(&service, None).unwrap(), [0, 1, 2]);
        assert_eq!(chosen(&service, Some(3)).unwrap(), [2]);
        for number in [0, 4] {
            let error = chosen(&service, Some(number)).unwrap_err().to_string();
            assert_eq!(error, format!("kafka3 has members 1 to 3, and no {number}"));
        }
    }

    #[test]
    fn what_was_not_started_here_is_not_touched() {
        let root = tempfile::tempdir().unwrap();
        drop(State::open(root.path()).unwrap());
        for outcome in
            [kill(root.path(), Kind::KafkaFaulty, None), start(root.path(), Kind::KafkaFaulty, None)]
        {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("kafka-faulty was not started here"), "{error}");
        }
    }
}
