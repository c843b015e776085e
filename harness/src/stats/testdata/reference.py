"""Makes reference.json again: values of SciPy and statsmodels that the tests of this folder compare with.

    python -m venv /tmp/reference && /tmp/reference/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    /tmp/reference/bin/python reference.py > reference.json
"""

import json

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(20250101)


def rounded(values):
    return [float(f"{v:.6g}") for v in values]


def distribution():
    tails = [1e-12, 1e-6, 1 / 600, 0.025, 0.3, 0.5, 0.9, 0.999]
    beta = [(0.01, 0.5, 0.5), (0.3, 2, 5), (0.97, 8, 0.5), (0.003, 30, 9000), (0.5, 200, 190), (0.02, 1, 113)]
    return {
        "normal_upper_quantile": [[p, stats.norm.isf(p)] for p in tails],
        "beta_cdf": [[x, a, b, stats.beta.cdf(x, a, b)] for x, a, b in beta],
        "beta_quantile": [[p, a, b, stats.beta.ppf(p, a, b)] for _, a, b in beta for p in (0.001, 0.025, 0.5, 0.99)],
        "t_upper_tail": [[t, d, stats.t.sf(t, d)] for t in (-2.0, 0.3, 4.0, 20.0) for d in (1, 2.5, 7, 60)],
        "t_upper_quantile": [[p, d, stats.t.isf(p, d)] for p in (1e-5, 1 / 600, 0.025, 0.4, 0.8) for d in (1, 2.5, 7, 60, 1e5)],
    }


def wilcoxon():
    def permuted(x):
        # Pratt's zeros and ties: SciPy's own statistic over every choice of signs.
        def p(alternative):
            every = stats.PermutationMethod(n_resamples=np.inf)
            return stats.wilcoxon(x, zero_method="pratt", alternative=alternative, method=every)

        return p

    def table(x, p):
        greater, less, two_sided = p("greater"), p("less"), p("two-sided")
        return [greater.statistic, greater.pvalue, less.pvalue, two_sided.pvalue]

    differences, expected = [], []
    for n, shift in [(6, 0.8), (12, 0.3), (24, 0.2), (50, 0.3)]:
        x = rounded(rng.normal(shift, 1, n))
        differences.append(x)
        expected.append(table(x, lambda a: stats.wilcoxon(x, alternative=a, method="exact")))
    for n, shift in [(9, 0.5), (12, -0.4)]:
        x = [float(v) for v in np.round(rng.normal(shift, 1.2, n) * 2)]
        differences.append(x)
        expected.append(table(x, permuted(x)))
    for n, shift in [(60, 0.2), (200, -0.1)]:
        x = rounded(rng.normal(shift, 1, n))
        differences.append(x)
        expected.append(table(x, lambda a: stats.wilcoxon(x, alternative=a, method="asymptotic", correction=True)))
    x = [float(v) for v in np.round(rng.normal(0.3, 1.5, 90))]
    differences.append(x)
    expected.append(table(x, lambda a: stats.wilcoxon(x, zero_method="pratt", alternative=a, method="asymptotic", correction=True)))
    return {"differences": differences, "expected": expected}


def hodges_lehmann():
    differences, expected = [], []
    for n, error_level in [(6, 0.05), (8, 0.05), (12, 0.01), (24, 0.05), (24, 1 / 300), (60, 0.05), (200, 0.01)]:
        x = np.array(rounded(rng.standard_t(3, n)))
        walsh = np.sort([(x[i] + x[j]) / 2 for i in range(n) for j in range(i, n)])
        method = "exact" if n <= 50 else "asymptotic"

        def p(centre, alternative):
            return stats.wilcoxon(x - centre, alternative=alternative, method=method, correction=True).pvalue

        # The test is a step function of the centre: the end is the first average that it does not reject from just beyond.
        small = 1e-9
        lower = next(w for w in walsh if p(w + small, "greater") > error_level / 2)
        upper = next(w for w in walsh[::-1] if p(w - small, "less") > error_level / 2)
        differences.append(list(x))
        expected.append([np.median(walsh), error_level, lower, upper])
    return {"differences": differences, "expected": expected}


def sequential():
    """Two-sided boundaries from multivariate normal probabilities, not from the recursion that the tests check."""

    def boundaries(spending, times, error_level):
        found, spent = [], 0.0
        for k, t in enumerate(times, 1):
            target = (spending(t, error_level) - spent) / 2
            spent = spending(t, error_level)
            if k == 1:
                found.append(stats.norm.isf(target))
                continue
            cov = np.array([[np.sqrt(min(a, b) / max(a, b)) for b in times[:k]] for a in times[:k]])

            def upper(z):
                low = np.array([-b for b in found] + [z])
                high = np.array(found + [12.0])
                return stats.multivariate_normal.cdf(high, cov=cov, lower_limit=low, abseps=1e-7, releps=1e-7, maxpts=200_000, rng=1)

            found.append(optimize.brentq(lambda z: upper(z) - target, 0.5, 8, xtol=1e-6))
        return found

    def obrien_fleming(t, error_level):
        # Lan and DeMets's rule holds for one side; each side has half the level, as in gsDesign and ldbounds.
        return 4 * stats.norm.sf(stats.norm.isf(error_level / 4) / np.sqrt(t))

    def pocock(t, error_level):
        return error_level * np.log(1 + (np.e - 1) * t)

    rows = {}
    for name, spending in [("obrien_fleming", obrien_fleming), ("pocock", pocock)]:
        rows[name] = []
        for times, error_level in [((0.5, 1.0), 0.05), ((0.25, 0.5, 0.75, 1.0), 0.05), ((0.3, 0.6, 1.0), 0.01)]:
            rows[name] += [[error_level], list(times), boundaries(spending, list(times), error_level)]
    return rows


def multiplicity():
    sets = [
        [0.01, 0.02, 0.03, 0.04, 0.05],
        [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0],
        [0.5, 0.01, 0.01, 0.9, 0.001],
        [0.7],
    ]
    return {
        "p": sets,
        "holm": [list(multipletests(p, method="holm")[1]) for p in sets],
        "benjamini_hochberg": [list(multipletests(p, method="fdr_bh")[1]) for p in sets],
    }


def binomial():
    rows = []
    for k, n, error_level in [(0, 113, 0.1), (0, 22, 0.05), (8, 8, 0.05), (14, 15, 0.05), (6, 12, 0.01), (333, 100000, 0.05)]:
        interval = stats.binomtest(k, n).proportion_ci(confidence_level=1 - error_level, method="exact")
        rows.append([k, n, error_level, interval.low, interval.high])
    return {"clopper_pearson": rows}


tables = [distribution, wilcoxon, hodges_lehmann, sequential, multiplicity, binomial]
print(json.dumps({table.__name__: table() for table in tables}, indent=1))
