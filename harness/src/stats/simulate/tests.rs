use super::super::binomial::clopper_pearson;
use super::super::trial::{Plan, Schedule};
use super::*;

/// At most one comparison in 300 of unchanged cases may be called a regression, and as few an improvement.
const FALSE_ALARMS: f64 = 1.0 / 300.0;

fn run(gates: usize, seed: u64) -> Vec<(Scenario, Vec<Row>)> {
    let schedule = Schedule::new(Plan::default()).unwrap();
    SCENARIOS.iter().map(|scenario| (*scenario, simulate(scenario, &schedule, gates, seed))).collect()
}

#[test]
fn ten_thousand_gates_keep_the_promised_bounds() {
    let results = run(10_000usize.div_ceil(SCENARIOS.len()), 1);
    let table = markdown(&results);
    for (scenario, rows) in &results {
        let row = |effect: f64| *rows.iter().find(|row| row.effect_percent == effect).unwrap();
        let unchanged = row(0.0);
        assert!(unchanged.cases >= 4500);
        for count in [unchanged.regressions, unchanged.improvements] {
            assert!(count as f64 <= FALSE_ALARMS * unchanged.cases as f64, "false alarms of '{}':\n{table}", scenario.name);
        }
        // What limits power: bursts that hit half of all blocks, and four links or a wide spread on top of links, whose t values are large.
        let (detected, undecided) = match scenario.name {
            "bursts" | "8 links, bursts" => (0.8, 0.1),
            "4 links" | "8 links, wide" => (0.8, 0.25),
            _ => (0.95, 0.05),
        };
        assert!(row(2.0).regressions as f64 >= detected * row(2.0).cases as f64, "power at 2 % of '{}':\n{table}", scenario.name);
        assert!(unchanged.undecided() as f64 <= undecided * unchanged.cases as f64, "undecided of '{}':\n{table}", scenario.name);
    }
    let unchanged = results.iter().map(|(_, rows)| rows[0]);
    let (alarms, cases) = unchanged.fold((0, 0), |(alarms, cases), row| (alarms + row.regressions, cases + row.cases));
    assert!(clopper_pearson(alarms, cases, 0.05).upper < FALSE_ALARMS, "{alarms} of {cases}");
}

#[test]
fn a_rule_without_confirmation_or_layout_breaks_the_bound_that_the_trial_keeps() {
    // The simulation can fail: links that matter, and nobody told the decision of them.
    let schedule =
        Schedule::new(Plan { looks: vec![24], confirmation_looks: vec![32], confirmation_level: 0.05, ..Plan::default() }).unwrap();
    let blind = Scenario { name: "one link each", links: 1, layout_deviation: 0.0053, fresh_links: false, ..SCENARIOS[0] };
    let unchanged = simulate(&blind, &schedule, 100, 2)[0];
    assert!(unchanged.regressions as f64 > 20.0 * FALSE_ALARMS * unchanged.cases as f64, "{unchanged:?}");
}

#[test]
fn counts_do_not_depend_on_threads() {
    let schedule = Schedule::new(Plan::default()).unwrap();
    let counted = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| simulate(&SCENARIOS[8], &schedule, 40, 3))
    };
    assert_eq!(counted(1), counted(3));
}
