//! Noise of processes: log times, one after another.

use weighbridge::sample::uniform;

/// What disturbs the processes, beside a Gaussian part of the scenario's spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Nothing.
    Gaussian,
    /// A machine that slows down by half a spread with each process, and wanders by as much.
    Drift,
    /// One process in twenty-five begins a burst of 5 to 50 %, that goes on for four processes on average and so may cover half a block.
    Bursts,
    /// Three processes in ten are in a slower state, four spreads away.
    Bimodal,
    /// No Gaussian part, but Student's t with two degrees of freedom, whose variance is infinite.
    HeavyTailed,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    taken: u64,
}

impl Random {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, taken: 0 }
    }

    /// A uniform number in the open interval (0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.taken += 1;
        uniform(self.seed, self.taken)
    }

    /// A standard normal number (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * libm::log(radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
    }

    /// A number of Student's t distribution with two degrees of freedom, by inversion.
    fn heavy(&mut self) -> f64 {
        let u = self.uniform();
        (2.0 * u - 1.0) / (2.0 * u * (1.0 - u)).sqrt()
    }
}

/// A machine under noise.
#[derive(Debug, Clone)]
pub struct Source {
    noise: Noise,
    spread: f64,
    random: Random,
    wandered: f64,
    burst: f64,
}

impl Source {
    /// A machine on which the log time of a process spreads by `spread`.
    pub fn new(noise: Noise, spread: f64, random: Random) -> Self {
        Self { noise, spread, random, wandered: 0.0, burst: 0.0 }
    }

    /// What noise adds to the log time of the next process.
    fn process(&mut self) -> f64 {
        let (spread, random) = (self.spread, &mut self.random);
        match self.noise {
            Noise::Gaussian => spread * random.normal(),
            Noise::Drift => {
                self.wandered += 0.5 * spread * (1.0 + random.normal());
                self.wandered + spread * random.normal()
            }
            Noise::Bursts => {
                let goes_on = if self.burst > 0.0 { 0.75 } else { 0.04 };
                let on = random.uniform() < goes_on;
                self.burst = match (on, self.burst > 0.0) {
                    (false, _) => 0.0,
                    (true, true) => self.burst,
                    (true, false) => libm::log(1.05 + 0.45 * random.uniform()),
                };
                self.burst + spread * random.normal()
            }
            Noise::Bimodal => {
                let slow = if random.uniform() < 0.3 { 4.0 * spread } else { 0.0 };
                slow + spread * random.normal()
            }
            Noise::HeavyTailed => spread * random.heavy(),
        }
    }

    /// What noise adds to the effect of the next block: A B B A, or B A A B in every second one.
    pub fn block(&mut self, number: usize) -> f64 {
        let [first, second, third, fourth] = std::array::from_fn(|_| self.process());
        let outer_less_inner = 0.5 * (first + fourth) - 0.5 * (second + third);
        if number.is_multiple_of(2) { -outer_less_inner } else { outer_less_inner }
    }
}
