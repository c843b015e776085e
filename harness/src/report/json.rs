//! The report as JSON: everything, at full precision, keys in a fixed order.

use serde::Serialize;

use super::Report;
use super::basis::Basis;
use super::sampled::SampledCase;
use super::summary::KernelSummary;
use crate::compare::{FailedCase, Outcome, Verdict};
use crate::model::machine::Machine;
use crate::model::record::NotMeasured;
use crate::waiver::{Applied, Standing};

/// Version of the document.
const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    weighbridge_report: u32,
    outcome: Outcome,
    verdict: String,
    suite: &'a str,
    started: &'a str,
    seconds: Option<f64>,
    commit: Option<&'a str>,
    dirty: Option<bool>,
    command: &'a str,
    machine: &'a Machine,
    fingerprint: String,
    same_machine_as_baseline: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged_by: Option<&'a Basis>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waivers: Vec<JsonWaiver<'a>>,
    summaries: &'a [KernelSummary],
    failures: &'a [FailedCase],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_measured: &'a [NotMeasured],
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<Times<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    sampled: &'a [SampledCase],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scaling: Vec<Exponent<'a>>,
    rows: Vec<Row<'a>>,
    passed_through: Vec<Through<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    kernel: &'a str,
    fixture: &'a str,
    metric: &'a str,
    unit: &'a str,
    before: Option<f64>,
    after: Option<f64>,
    standard_error: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimate: bool,
    relative_change: Option<f64>,
    smallest_detectable: Option<f64>,
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paired: Option<Paired<'a>>,
}

/// What the comparison of both builds says of a time; changes are shares.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Paired<'a> {
    change: Option<f64>,
    interval: Option<[f64; 2]>,
    wall_change: Option<f64>,
    smallest_detectable: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planted: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control>,
    blocks: usize,
    share_of_model: f64,
    p_holm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided_because: Option<&'a str>,
}

/// What the A/A arm of a time showed; shares.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Control {
    difference: f64,
    floor: f64,
    blocks: usize,
}

/// What all A/A arms showed; shares.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ControlArm {
    times: usize,
    median_difference: f64,
    largest_difference: f64,
    largest_floor: f64,
}

/// The comparison of both builds' times.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Times<'a> {
    baseline: &'a str,
    candidate: &'a str,
    same_code: bool,
    layout_confounded: bool,
    planted: Option<f64>,
    seed: u64,
    seconds: f64,
    out_of_time: bool,
    decided: usize,
    undecided: usize,
    control: Option<ControlArm>,
    unfit: Option<&'a str>,
}

impl<'a> Times<'a> {
    fn of(judged: &'a crate::paired::Judged) -> Self {
        let undecided = judged.undecided().len();
        Self {
            baseline: &judged.sides[0],
            candidate: &judged.sides[1],
            same_code: judged.same_code,
            layout_confounded: judged.layout_confounded,
            planted: judged.planted,
            seed: judged.seed,
            seconds: judged.seconds,
            out_of_time: judged.out_of_time,
            decided: judged.items.len() - undecided,
            undecided,
            control: judged.control().map(|arm| ControlArm {
                times: arm.armed,
                median_difference: arm.median_difference,
                largest_difference: arm.largest_difference,
                largest_floor: arm.largest_floor,
            }),
            unfit: judged.unfit.as_deref(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(r: &'a crate::compare::Row, report: &Report) -> Self {
        Self {
            kernel: &r.case.kernel,
            fixture: &r.case.fixture,
            metric: r.metric.name,
            unit: r.metric.unit,
            before: r.before,
            after: r.after,
            standard_error: r.after_error,
            estimate: report.is_estimate(&r.case, r.metric.name),
            relative_change: r.relative_change(),
            smallest_detectable: r.smallest_detectable,
            verdict: r.verdict,
            paired: r.paired.as_ref().map(|p| Paired {
                change: p.change,
                interval: p.interval,
                wall_change: p.wall_change,
                smallest_detectable: Some(p.smallest_detectable).filter(|x| x.is_finite()),
                planted: p.planted,
                control: p.control.map(|c| Control { difference: c.difference, floor: c.floor, blocks: c.blocks }),
                blocks: p.blocks,
                share_of_model: p.share,
                p_holm: p.p_holm,
                undecided_because: p.doubt.as_deref(),
            }),
        }
    }
}

/// A waiver and what became of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct JsonWaiver<'a> {
    kernel: &'a str,
    fixture: &'a str,
    metric: &'a str,
    worst: f64,
    after: Option<f64>,
    reason: &'a str,
    owner: &'a str,
    expires: String,
    standing: Standing,
    added_by_this_change: bool,
}

impl<'a> JsonWaiver<'a> {
    fn of(applied: &'a Applied) -> Self {
        let w = &applied.waiver;
        Self {
            kernel: &w.case.kernel,
            fixture: &w.case.fixture,
            metric: w.metric,
            worst: w.worst,
            after: applied.after,
            reason: &w.reason,
            owner: &w.owner,
            expires: w.expires.to_string(),
            standing: applied.standing,
            added_by_this_change: applied.own,
        }
    }
}

/// How a cost of a kernel grows with parameters.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Exponent<'a> {
    kernel: &'a str,
    cost: &'a str,
    models: usize,
    smallest_parameters: f64,
    largest_parameters: f64,
    exponent: f64,
    half_width_95: f64,
    exponent_before: Option<f64>,
    growth: Option<f64>,
    smallest_detectable: Option<f64>,
    verdict: Option<Verdict>,
}

impl<'a> Exponent<'a> {
    fn of(r: &'a crate::scaling::ScalingRow) -> Self {
        Self {
            kernel: &r.kernel,
            cost: r.quantity.name,
            models: r.after.points,
            smallest_parameters: r.span.0,
            largest_parameters: r.span.1,
            exponent: r.after.exponent,
            half_width_95: r.after.half_width,
            exponent_before: r.before.map(|fit| fit.exponent),
            growth: r.growth.map(|fit| fit.exponent),
            smallest_detectable: r.tolerance,
            verdict: r.verdict,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Through<'a> {
    kernel: &'a str,
    fixture: &'a str,
    tensors: &'a [weighbridge::artifact::PassedThrough],
}

/// The whole report, indented.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let c = &report.comparison;
    let document = Document {
        weighbridge_report: VERSION,
        outcome: c.outcome(),
        verdict: report.verdict_line(),
        suite: &report.header.suite,
        started: &report.header.started,
        seconds: report.seconds,
        commit: report.header.commit.as_deref(),
        dirty: report.header.dirty,
        command: &report.header.command,
        machine: &report.header.machine,
        fingerprint: report.header.machine.fingerprint(),
        same_machine_as_baseline: c.same_machine,
        judged_by: (!report.basis.line.is_empty()).then_some(&report.basis),
        waivers: report.waivers.iter().map(JsonWaiver::of).collect(),
        summaries: &report.summaries,
        failures: &c.failures,
        not_measured: &report.header.not_measured,
        times: c.paired.as_ref().map(Times::of),
        sampled: &report.sampled,
        scaling: c.scaling.iter().map(Exponent::of).collect(),
        rows: c.rows.iter().map(|r| Row::of(r, report)).collect(),
        passed_through: report
            .passed_through
            .iter()
            .map(|(case, tensors)| Through { kernel: &case.kernel, fixture: &case.fixture, tensors })
            .collect(),
    };
    serde_json::to_string_pretty(&document).map(|mut text| {
        text.push('\n');
        text
    })
}
