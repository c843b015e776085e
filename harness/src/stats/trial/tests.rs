use weighbridge::sample::{gaussian, splitmix};

use super::super::decision::Finding;
use super::super::layout::{Block, pair};
use super::*;

/// Measures a case: that effect, that noise, over four links without an effect of their own.
fn blocks(request: &Request, already: usize, effect: f64, noise: f64, seed: u64) -> Vec<Block> {
    let stream = splitmix(seed, ((request.case * 2 + usize::from(request.purpose == Purpose::Confirmation)) * 1000 + already) as u64);
    let block = |(at, error): (usize, f32)| {
        let [baseline_layout, candidate_layout] = pair(already + at, 4);
        Block { baseline_layout, candidate_layout, effect: effect + f64::from(error) }
    };
    gaussian(request.blocks, noise, stream).into_iter().enumerate().map(block).collect()
}

/// Runs a trial to its end, serving the most urgent wish each time; effects and noise by case.
fn run(plan: Plan, truth: &[(f64, f64)], seed: u64) -> Trial {
    let mut trial = Trial::new(plan, truth.len()).unwrap();
    let mut already = vec![[0; 2]; truth.len()];
    while let Some(request) = trial.requests().first().copied() {
        let (effect, noise) = truth[request.case];
        let taken = &mut already[request.case][usize::from(request.purpose == Purpose::Confirmation)];
        trial.record(request.case, &blocks(&request, *taken, effect, noise, seed)).unwrap();
        *taken += request.blocks;
    }
    trial
}

#[test]
fn a_trial_finds_the_slow_the_fast_and_the_same() {
    let trial = run(Plan::default(), &[(0.0, 0.004), (0.03, 0.005), (-0.03, 0.005), (0.0, 0.002)], 1);
    let outcome = trial.outcome();
    let findings = outcome.cases.iter().map(|case| case.finding).collect::<Vec<_>>();
    assert_eq!(findings, [Finding::Equivalent, Finding::Regression, Finding::Improvement, Finding::Equivalent]);
    assert_eq!(outcome.verdict, Verdict::Regression);
    assert_eq!(trial.decided(), 4);
    let slow = &outcome.cases[1];
    assert!(slow.p_holm.unwrap() <= 0.05 && slow.p_holm >= slow.p_benjamini_hochberg);
    assert!(slow.confirmation.is_some() && slow.deciding().centre.as_ref().unwrap().blocks == 12);
    assert!(outcome.cases[3].confirmation.is_none() && trial.cases()[3].searched.len() == 8, "an unchanged quiet case ends at the screen");
}

#[test]
fn unchanged_cases_pass() {
    let outcome = run(Plan::default(), &[(0.0, 0.003); 6], 2).outcome();
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert!(outcome.cases.iter().all(|case| case.finding == Finding::Equivalent && case.doubt.is_none()));
}

#[test]
fn a_noisy_machine_is_unfit_and_one_noisy_case_is_not() {
    let noisy = run(Plan::default(), &[(0.0, 0.2), (0.0, 0.2), (0.0, 0.003)], 3).outcome();
    assert_eq!(noisy.verdict, Verdict::Unfit(Unfit { blind: 2, by_control: 0, armed: 0, measured: 3 }));
    assert!(matches!(noisy.cases[0].doubt, Some(Doubt::NeedsBlocks(n)) if n > 1000), "{:?}", noisy.cases[0].doubt);
    let one = run(Plan::default(), &[(0.0, 0.2), (0.0, 0.003), (0.0, 0.003)], 3).outcome();
    assert_eq!(one.verdict, Verdict::Inconclusive);
}

#[test]
fn a_control_arm_that_differs_makes_the_machine_unfit_and_hides_the_case() {
    let mut trial = Trial::new(Plan::default(), 1).unwrap();
    let control = blocks(&Request { case: 0, blocks: 16, purpose: Purpose::Search }, 0, 0.05, 0.002, 4);
    trial.record_control(0, &control).unwrap();
    let request = trial.requests()[0];
    trial.record(0, &blocks(&request, 0, 0.03, 0.002, 5)).unwrap();
    assert_eq!(trial.outcome().cases[0].finding, Finding::Equivalent);
    assert_eq!(trial.outcome().verdict, Verdict::Unfit(Unfit { blind: 1, by_control: 1, armed: 1, measured: 1 }));
    assert_eq!(trial.record_control(0, &control), Err(TrialError::LateControl { case: 0 }));
}

#[test]
fn most_arms_of_a_few_are_enough_to_tell_an_unfit_machine() {
    let quiet = (0.0, 0.002);
    let with_arm = |shift: f64| {
        let mut trial = Trial::new(Plan::default(), 5).unwrap();
        trial.record_control(2, &blocks(&Request { case: 2, blocks: 8, purpose: Purpose::Search }, 0, shift, 0.002, 4)).unwrap();
        while let Some(request) = trial.requests().first().copied() {
            trial.record(request.case, &blocks(&request, 0, quiet.0, quiet.1, 5)).unwrap();
        }
        trial
    };
    let unfit = with_arm(0.05);
    assert_eq!(unfit.outcome().verdict, Verdict::Unfit(Unfit { blind: 1, by_control: 1, armed: 1, measured: 5 }));
    assert!(unfit.cases()[2].control().unwrap().estimate > 0.04 && unfit.cases()[0].control().is_none());
    assert_eq!(with_arm(0.0).outcome().verdict, Verdict::Pass);
}

#[test]
fn a_suspicion_that_fresh_blocks_do_not_bear_out_fails_nobody() {
    let mut trial = Trial::new(Plan { looks: vec![16], ..Plan::default() }, 1).unwrap();
    trial.record(0, &blocks(&trial.requests()[0], 0, 0.03, 0.002, 6)).unwrap();
    assert_eq!(trial.outcome().cases[0].doubt, Some(Doubt::NotConfirmed));
    let request = trial.requests()[0];
    assert_eq!((request.purpose, request.blocks), (Purpose::Confirmation, 12));
    let fresh = blocks(&request, 0, 0.0, 0.002, 7);
    // In parts, as a measuring loop delivers them.
    trial.record(0, &fresh[..5]).unwrap();
    assert_eq!(trial.requests()[0].blocks, 7);
    trial.record(0, &fresh[5..]).unwrap();
    assert_eq!((trial.outcome().cases[0].finding, trial.outcome().verdict), (Finding::Equivalent, Verdict::Pass));
}

#[test]
fn a_confirmation_over_links_of_its_own_is_held_to_its_own_level() {
    let confirmed = |shift: usize| {
        let mut trial =
            Trial::new(Plan { looks: vec![16], fresh_links_level: 1e-12, confirmation_looks: vec![32], ..Plan::default() }, 1).unwrap();
        trial.record(0, &blocks(&trial.requests()[0], 0, 0.03, 0.002, 6)).unwrap();
        let fresh = blocks(&trial.requests()[0], 0, 0.03, 0.002, 7).into_iter();
        let moved = fresh.map(|block| Block {
            candidate_layout: block.candidate_layout + shift,
            baseline_layout: block.baseline_layout + 4,
            ..block
        });
        trial.record(0, &moved.collect::<Vec<_>>()).unwrap();
        trial.outcome().cases[0].finding
    };
    assert_eq!(confirmed(0), Finding::Regression, "the candidate's links are those of the search");
    assert_eq!(confirmed(3), Finding::Regression, "one of them is");
    assert_eq!(confirmed(4), Finding::Undecided, "no interval has that level");
}

#[test]
fn requests_come_screen_first_then_suspected_regressions_then_by_width() {
    let mut trial = Trial::new(Plan { looks: vec![16, 32], ..Plan::default() }, 5).unwrap();
    for (case, (effect, noise)) in [(-0.1, 0.002), (0.0, 0.02), (0.0, 0.06), (0.1, 0.002)].into_iter().enumerate() {
        let request = trial.requests()[0];
        assert_eq!((request.case, request.purpose), (case, Purpose::Search), "the screen goes by index");
        trial.record(case, &blocks(&request, 0, effect, noise, 8)).unwrap();
    }
    let order = trial.requests().iter().map(|request| request.case).collect::<Vec<_>>();
    assert_eq!(order, [4, 3, 2, 1, 0]);
    assert_eq!(trial.outcome().cases[4].doubt, Some(Doubt::NotMeasured));
    assert_eq!(trial.outcome().cases[1].doubt, Some(Doubt::SearchNotOver));
}

#[test]
fn what_cannot_be_taken_is_refused_and_changes_nothing() {
    let mut trial = Trial::new(Plan::default(), 1).unwrap();
    let block = |effect: f64| Block { baseline_layout: 0, candidate_layout: 0, effect };
    let before = trial.clone();
    assert_eq!(trial.record(1, &[block(0.0)]), Err(TrialError::UnknownCase { case: 1, cases: 1 }));
    assert_eq!(trial.record(0, &[block(0.0); 9]), Err(TrialError::NotWanted { case: 0, given: 9, wanted: 8 }));
    assert!(trial.record(0, &[block(f64::NAN)]).unwrap_err().to_string().contains("'NaN'"));
    assert_eq!(trial, before);
    assert_eq!(Trial::new(Plan::default(), 0).unwrap().outcome().verdict, Verdict::NothingMeasured);
    assert_eq!(before.outcome().verdict, Verdict::NothingMeasured);
    assert!(Trial::new(Plan { family_level: 0.0, ..Plan::default() }, 1).is_err());
}

#[test]
fn holm_may_clear_what_one_comparison_alone_would_call() {
    // Both confirmations are called at a level of 0.3; the family's is strict.
    let plan = Plan { confirmation_level: 0.3, family_level: 1e-9, ..Plan::default() };
    let outcome = run(plan, &[(0.03, 0.005), (0.03, 0.005)], 9).outcome();
    assert!(outcome.cases.iter().all(|case| case.confirmation.as_ref().unwrap().finding == Finding::Regression));
    assert!(outcome.cases.iter().all(|case| case.finding == Finding::Undecided && case.doubt == Some(Doubt::Disagreement)));
}
