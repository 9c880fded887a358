//! Questions that wait for a thread, and whose turn it is.
//!
//! Every partition has a queue of its own, and partitions have their turns one after the other. Only so many threads ask
//! about one partition at a time: a question about a partition without a leader occupies its thread for seconds, and must
//! not keep the others waiting. Nothing here blocks or talks with anybody.

use std::collections::VecDeque;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::{Bounds, Error, StoredRecord};

/// Questions about one partition that may wait for their turn.
const QUESTIONS_MAX: usize = 4_096;
/// Questions about one partition that are asked at the same time.
const TAKEN_MAX: usize = 2;

/// One question about one partition.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) partition: u16,
    pub(super) asked: Instant,
    pub(super) subject: Subject,
}

/// What is asked, and where the answer goes.
#[derive(Debug)]
pub(super) enum Subject {
    Bounds(oneshot::Sender<Result<Bounds, Error>>),
    Record(u64, oneshot::Sender<Result<Option<StoredRecord>, Error>>),
}

impl Question {
    pub(super) fn refuse(self, error: Error) {
        match self.subject {
            Subject::Bounds(answer) => drop(answer.send(Err(error))),
            Subject::Record(_, answer) => drop(answer.send(Err(error))),
        }
    }

    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool {
        match &self.subject {
            Subject::Bounds(answer) => answer.is_closed(),
            Subject::Record(_, answer) => answer.is_closed(),
        }
    }
}

/// The questions about all partitions of a log.
#[derive(Debug)]
pub(super) struct Questions {
    partitions: Vec<Partition>,
    /// The partitions with questions of which one more may be asked, each once, in the order of their turns.
    turns: VecDeque<u16>,
}

#[derive(Debug, Default)]
struct Partition {
    waiting: VecDeque<Question>,
    /// How many questions are being asked.
    taken: usize,
}

impl Partition {
    fn may_have_a_turn(&self) -> bool {
        !self.waiting.is_empty() && self.taken < TAKEN_MAX
    }
}

/// Too many questions about the partition wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Questions {
    pub(super) fn new(partitions: u16) -> Self {
        Self { partitions: (0..partitions).map(|_| Partition::default()).collect(), turns: VecDeque::new() }
    }

    /// Lets a question wait behind the others about its partition.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn push(&mut self, question: Question) -> Result<(), Full> {
        let number = question.partition;
        let partition = &mut self.partitions[usize::from(number)];
        let has_a_turn = partition.may_have_a_turn();
        if partition.waiting.len() >= QUESTIONS_MAX {
            partition.waiting.retain(|question| !question.is_abandoned());
            if partition.waiting.len() >= QUESTIONS_MAX {
                return Err(Full);
            }
        }
        partition.waiting.push_back(question);
        if !has_a_turn && partition.may_have_a_turn() {
            self.turns.push_back(number);
        }
        Ok(())
    }

    /// The question whose turn it is. It counts as asked until its partition is given back. Questions that nobody waits for are
    /// dropped.
    pub(super) fn take(&mut self) -> Option<Question> {
        while let Some(number) = self.turns.pop_front() {
            let partition = &mut self.partitions[usize::from(number)];
            while let Some(question) = partition.waiting.pop_front() {
                if !question.is_abandoned() {
                    partition.taken += 1;
                    if partition.may_have_a_turn() {
                        self.turns.push_back(number);
                    }
                    return Some(question);
                }
            }
        }
        None
    }

    /// A question about the partition that was taken is answered: the next may have its turn.
    pub(super) fn give_back(&mut self, number: u16) {
        let partition = &mut self.partitions[usize::from(number)];
        let has_a_turn = partition.may_have_a_turn();
        partition.taken -= 1;
        if !has_a_turn && partition.may_have_a_turn() {
            self.turns.push_back(number);
        }
    }

    /// How many partitions wait for a thread.
    pub(super) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Everything that waits, to be refused.
    pub(super) fn drain(&mut self) -> Vec<Question> {
        self.turns.clear();
        self.partitions.iter_mut().flat_map(|partition| partition.waiting.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Asker = oneshot::Receiver<Result<Option<StoredRecord>, Error>>;

    /// A question about a record, told from others by its offset.
    fn question(partition: u16, offset: u64) -> (Question, Asker) {
        let (answer, asker) = oneshot::channel();
        (Question { partition, asked: Instant::now(), subject: Subject::Record(offset, answer) }, asker)
    }

    fn ask(questions: &mut Questions, partition: u16, offset: u64) -> Asker {
        let (question, asker) = question(partition, offset);
        questions.push(question).unwrap();
        asker
    }

    /// Partition and offset of the question whose turn it is.
    fn take(questions: &mut Questions) -> Option<(u16, u64)> {
        questions.take().map(|question| match question.subject {
            Subject::Record(offset, _) => (question.partition, offset),
            Subject::Bounds(_) => panic!("nobody asked for bounds"),
        })
    }

    #[test]
    fn a_partition_takes_two_threads_at_most_and_the_others_do_not_wait_for_it() {
        let mut questions = Questions::new(3);
        let _askers: Vec<Asker> = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (1, 6)]
            .map(|(partition, offset)| ask(&mut questions, partition, offset))
            .into();
        assert_eq!(questions.turns(), 3);
        assert_eq!(take(&mut questions), Some((0, 1)));
        assert_eq!(take(&mut questions), Some((1, 4)));
        assert_eq!(take(&mut questions), Some((2, 5)));
        assert_eq!(take(&mut questions), Some((0, 2)));
        assert_eq!(take(&mut questions), Some((1, 6)));
        assert_eq!((take(&mut questions), questions.turns()), (None, 0));
        questions.give_back(1);
        questions.give_back(2);
        assert_eq!((take(&mut questions), questions.turns()), (None, 0));
        // A question that comes meanwhile waits behind the older ones.
        let _asker = ask(&mut questions, 0, 7);
        for offset in [3, 7] {
            assert_eq!(take(&mut questions), None);
            questions.give_back(0);
            assert_eq!(take(&mut questions), Some((0, offset)));
        }
    }

    #[test]
    fn partitions_have_their_turns_one_after_the_other() {
        let mut questions = Questions::new(2);
        let asked = [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5)];
        let _askers = asked.map(|(partition, offset)| ask(&mut questions, partition, offset));
        let mut taken = Vec::new();
        while let Some((partition, offset)) = take(&mut questions) {
            taken.push(offset);
            questions.give_back(partition);
        }
        assert_eq!(taken, [1, 4, 2, 5, 3]);
    }

    #[test]
    fn a_question_whose_asker_has_gone_is_not_taken() {
        let mut questions = Questions::new(2);
        let askers =
            [(0, 1), (0, 2), (1, 3)].map(|(partition, offset)| ask(&mut questions, partition, offset));
        let [gone, waits, gone_too] = askers;
        drop((gone, gone_too));
        assert_eq!(take(&mut questions), Some((0, 2)));
        assert_eq!(take(&mut questions), None);
        drop(waits);
        // What was dropped does not keep its partition from having a turn later.
        let _asker = ask(&mut questions, 1, 4);
        assert_eq!(take(&mut questions), Some((1, 4)));
    }

    #[test]
    fn too_many_questions_about_a_partition_are_refused_unless_some_are_abandoned() {
        let mut questions = Questions::new(2);
        let mut askers: Vec<Asker> =
            (0..QUESTIONS_MAX as u64).map(|offset| ask(&mut questions, 0, offset)).collect();
        assert_eq!(questions.push(question(0, 1).0), Err(Full));
        let _other = ask(&mut questions, 1, 1);
        askers.pop();
        let (newest, _asker) = question(0, 1);
        assert_eq!(questions.push(newest), Ok(()));
        assert_eq!(questions.push(question(0, 2).0), Err(Full));
        assert_eq!(questions.drain().len(), QUESTIONS_MAX + 1);
        assert_eq!((questions.turns(), take(&mut questions)), (0, None));
    }

    #[test]
    fn a_partition_whose_questions_are_all_abandoned_has_one_turn_for_a_new_one() {
        let mut questions = Questions::new(1);
        for offset in 0..QUESTIONS_MAX as u64 {
            drop(ask(&mut questions, 0, offset));
        }
        let _asker = ask(&mut questions, 0, 7);
        assert_eq!((questions.turns(), take(&mut questions)), (1, Some((0, 7))));
        assert_eq!((questions.turns(), take(&mut questions)), (0, None));
    }
}
