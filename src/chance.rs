//! Random fractions for jitter, so that deciding stays a function and tests can hold the dice.

use std::{fmt, sync::Arc, time::Duration};

use ring::rand::{SecureRandom, SystemRandom};

/// A source of fractions. Cheap to clone.
#[derive(Clone)]
pub struct Chance(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Chance {
    /// The system's random numbers.
    pub fn system() -> Self {
        let random = SystemRandom::new();
        Self(Arc::new(move || {
            let mut bytes = [0; 8];
            // Jitter is no secret: when the system refuses, the middle is good enough.
            if random.fill(&mut bytes).is_err() {
                return 0.5;
            }
            to_unit(u64::from_le_bytes(bytes))
        }))
    }

    /// Always `unit`; for tests and for rules without jitter.
    pub fn fixed(unit: f64) -> Self {
        Self(Arc::new(move || unit))
    }

    /// A fraction in [0, 1).
    pub fn unit(&self) -> f64 {
        (self.0)()
    }

    /// A time in [low, high).
    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

/// The upper 53 bits as a fraction in [0, 1).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
fn to_unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_stay_below_one_and_move() {
        assert_eq!(to_unit(0), 0.0);
        assert!(to_unit(u64::MAX) < 1.0);
        let chance = Chance::system();
        let first = chance.unit();
        assert!((0..64).map(|_| chance.unit()).any(|unit| unit != first));
    }

    #[test]
    fn between_keeps_its_bounds() {
        let (low, high) = (Duration::from_secs(1), Duration::from_secs(3));
        assert_eq!(Chance::fixed(0.0).between(low, high), low);
        assert_eq!(Chance::fixed(0.5).between(low, high), Duration::from_secs(2));
        assert_eq!(Chance::fixed(0.5).between(high, low), high, "an inverted range is empty, not a panic");
    }
}
