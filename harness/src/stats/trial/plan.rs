//! What a trial promises and how many blocks it may take.

use super::super::decision::{LEAST_PRACTICAL, Levels};
use super::super::sequential::{PlanError, Spending, nominal_levels};

/// Settings of a trial. Levels count both sides; changes are log ratios.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Blocks in all at each look of the search, rising. The first is the screen; the last is the most that a case gets.
    pub looks: Vec<usize>,
    /// Error level for differences that all looks of one case spend together.
    pub search_level: f64,
    /// Error level for equivalence that all looks of one case spend together.
    pub equivalence_level: f64,
    /// Fresh blocks in all at each look of a confirmation, rising; the last is the most that it gets.
    pub confirmation_looks: Vec<usize>,
    /// Error level that all looks of a confirmation spend together: half of it is the rate of false regressions in one comparison, even if the search was misled by the same links.
    pub confirmation_level: f64,
    /// The same where the confirmation shares no link with the search, on either side: layout cannot mislead both, and their errors multiply.
    pub fresh_links_level: f64,
    /// Error level that Holm holds over all suspects.
    pub family_level: f64,
    /// Smallest estimate that counts as a change.
    pub practical: f64,
    /// Half-width of what passes as equivalent at the looks before the last. Narrower than `wanted`, or a case would be let go as soon as large changes
    /// are ruled out, and smaller ones that a few more blocks would show were never called.
    pub margin: f64,
    /// The change that must be seen. To rule it out is enough at the last look and in a confirmation, and a machine on which most cases could not show it
    /// is unfit.
    pub wanted: f64,
}

impl Default for Plan {
    /// 32 blocks at most, 5 % to raise a suspicion on either side, 0.5 % counts, and 2 % must be seen. Confirmations have 2 in 1,000 on either side, for a
    /// promise of 1 in 300: with few links, t intervals miss up to 1.6 times as often as they say this far out.
    fn default() -> Self {
        Self {
            looks: vec![8, 16, 24, 32],
            search_level: 0.05,
            equivalence_level: 0.05,
            confirmation_looks: vec![12, 32],
            confirmation_level: 0.004,
            fresh_links_level: 0.02,
            family_level: 0.05,
            practical: LEAST_PRACTICAL,
            margin: 2.0 * LEAST_PRACTICAL,
            wanted: 4.0 * LEAST_PRACTICAL,
        }
    }
}

/// A plan with the nominal levels of its looks worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The plan.
    pub plan: Plan,
    /// Nominal levels of each look of the search.
    pub levels: Vec<Levels>,
    /// Nominal levels of each look of a confirmation: over links of the search, and over links of its own.
    confirmation: [Vec<Levels>; 2],
}

impl Schedule {
    /// Works the levels out, which takes milliseconds, or says what is wrong with the plan.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        nominal_levels(Spending::Pocock, &[1], plan.family_level)?;
        let levels = |spending, looks: &[usize], level| {
            let differences = nominal_levels(spending, looks, level)?;
            let equivalences = nominal_levels(Spending::Pocock, looks, plan.equivalence_level)?;
            let both = differences.into_iter().zip(equivalences);
            Ok(both.map(|(difference, equivalence)| Levels { difference, equivalence }).collect::<Vec<_>>())
        };
        let search = levels(Spending::Power(1), &plan.looks, plan.search_level)?;
        // More of it late, where the small changes are seen, but so much early that tests over ten blocks and few links can reach it.
        let confirmation = |level| levels(Spending::Power(2), &plan.confirmation_looks, level);
        let confirmation = [confirmation(plan.confirmation_level)?, confirmation(plan.fresh_links_level)?];
        Ok(Self { levels: search, confirmation, plan })
    }

    /// Levels of each look of a confirmation, over links of its own or over those of the search.
    pub fn confirmation_levels(&self, fresh_links: bool) -> &[Levels] {
        &self.confirmation[usize::from(fresh_links)]
    }
}
