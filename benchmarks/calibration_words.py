"""What the page of the calibration says around its tables."""

INTRODUCTION = """
# Calibration

How often the board's intervals, tests and advice are right, measured. This page is printed by

    {command}

in {minutes} minutes of one core; `--quick` does it roughly in one, `intervals`, `aa` or `power` does one part,
`--json` gives every number, and `--keep FOLDER` goes on where it was stopped. The numbers are the same on every run
but for rounding.

In short:

- **Coverage**: 95 % intervals of the speed-up hold the truth in 94 % to 98 % of cases where the two entries are about
  equally erratic, and in 91 % to 99 % where one is three times as erratic as the other.
- **Nothing to find** is called "real" in 2 % to 5 % of comparisons of real training. Simulated with one entry three
  times as erratic as the other it is in up to 11 %, and in up to 7 % without those that are called narrow.
- **Seeds**: with the usual spread 6 show a speed-up of 2×, 7 one of 1.5×, 19 one of 1.2×. "About n more seeds" errs
  towards too many where few are enough, and towards too few where a hundred are needed.
"""

INTERVALS = """
## Intervals

Share of {simulations:,} simulated boards per cell on which the 95 % interval holds the truth, which is known
exactly. The Monte-Carlo error of a share is ±{error} (one standard error); the aim is {low} to {high}, and
what misses it by more than two standard errors is **bold**. Times are log-normal or, with a heavier tail,
log-logistic; *equal* spreads of log t are 0.4 and 0.4, *unequal* ones 0.2 and 0.6 either way round; the true ratio
is 2. Censored is the share of the reference's seeds that miss. The cadence is 1/40 (fine) or 1/4 (coarse) of the
mean time. A cell shows the lowest and the highest share over uncorrelated and correlated (0.6) pairs and over which
of the two is the erratic one. RMST is that of the reference.
"""

OTHERS = """
Hit rate (Wilson's interval), final metric (that of a mean), and the geometric mean of speed-ups over workloads
(Student's t with Satterthwaite's degrees of freedom, over which skewness averages out):
"""

METHOD = """
**Method.** Student's t alone, by the paired delta method for the ratio, was not good enough: with few seeds the
standard error of skewed times is too small exactly when the mean is. Tried on the same laws were Fieller's
interval, the jackknife, t with a degree of freedom less, studentized and BCa bootstraps, and Hall's correction for
skewness in quarters. Bootstraps covered less than Student's t (8 seeds, nothing censored: studentized .90–.95, BCa
.88–.94), Fieller's interval less where the erratic entry is the slower one, the jackknife .003–.006 more, and the
whole of Hall's correction made heavy-tailed times worse and intervals half as wide again. What is used, for means
and ratios alike: a standard error √(n/(n−1)) wider and half of Hall's correction. Where spreads are equal this
makes intervals 9 % wider with 8 seeds, 4 % with 16, 2 % with 32. Seeds that all hit at one evaluation have no
spread to be seen; the least that is taken is that of rounding to the cadence.
"""

LIMITS = """
**Limits.** No interval from 8 seeds can know of a tail that they do not show. Where one entry is three times as
erratic as the other and its log-logistic tail has no third moment, the interval holds the truth a few times in a
hundred less often than it says. Where one seed in five is lost, 8 seeds show none in one case out of six, and then
the interval of the final metric has nothing to widen it. Coarse cadences make intervals too wide rather than too
narrow.
"""

AA = """
## The same against the same, with real training

Networks with 16 hidden units on digits, {trained:,} of them, {max_steps} steps of 32 rows, evaluated every
{every_steps} steps, trained by the engine and judged by the board's own test at 0.05, one comparison at a time. No
seed is in two pairs of entries of a row, so that its verdicts are independent; rows share their trainings.

*Other seeds* pairs seeds at random. *Other data order* keeps a seed's initial weights and gives the second entry
the order of rows of another seed. *rms against scale* keeps both and changes the arithmetic, and some of the truth:
by the ratio of means over all seeds scale is a little faster, so that "real" is right. *Means made equal* delays
the faster entry by whole evaluations, in a random share of its seeds by one more, until the means over all seeds
are equal: pairs and spreads are those of training, and there is nothing to find. Multiplying its steps instead,
which was tried first, gave 8–10 % at 8 seeds; we put that down to the ties of the cadence, which it breaks. "Real"
should be said in at most 5 %; the interval is Wilson's.
"""

TEST = """
## The test

Share of {simulations:,} simulations (±{error}) in which entries with equal restricted means are called
different at 0.05. *Not narrowly*: and the interval of the speed-up does not hold 1.
"""

TEST_READ = """
The sign-flip test is exact where differences are symmetric when there is nothing to find, as they are for entries
with the same law whatever it is. Where one entry is three times as erratic as the other they are skewed, and the
test says "real" more often than it should. A studentized sign-flip test, the usual remedy, is the same test: the
sum of squares of the differences is the same under every pattern of signs, so that t = √n·d̄/s grows with Σd, ranks
the patterns alike and has the same p (a test holds that). The interval, which allows for skewness, does not follow
the test there. So the board keeps the exact test and says "real, but narrowly" where the interval holds 1; without
those verdicts about 5 % are left of log-normal times. To ask for both would have cost true verdicts too: see
*narrowly* below.
"""

POWER = """
## Power

Fewest seeds with which the test decides in 80 % of {simulations:,} simulations (±{error}), one comparison, and what
"about n more seeds" leads to where 8 seeds leave it open. Spreads of log t and correlation are *alike* 0.2 and 0.2,
0.5; *typical* 0.2 and 0.25, 0.3; *erratic* 0.4 and 0.5, 0.2. On digits, 100-100-100, 48 seeds of none, batch,
layer, rms and scale had standard deviations of 13–31 % of the mean and correlations of 0.1–0.6 between unlike and
0.6–0.9 between like norms; the small networks above are no different.

The advice is in all, with the 8 seeds: quartiles. *Decided* is the share that as many fresh seeds decide,
*together* the share that the old and the added seeds decide, *no advice* the share of the open ones where the
difference seen was too small, or the advice beyond 256 seeds and not followed.
"""

POWER_READ = """
The advice is a plan, not a promise. Where 20 seeds or fewer are enough it asks for more than that, since a
difference that 8 seeds leave open was seen smaller than it is, and is followed by a decision in nine cases out of
ten. Where a hundred are needed 8 seeds cannot know it: half of the advice is too low, and a quarter of the cases
gets none. The formula stays: what it cannot know no formula can.
"""
