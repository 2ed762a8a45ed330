//! Decimal arithmetic for short numbers, so that 1.1 + 2.2 is 3.3; numbers too long for it fall back to floats.

/// A number as digits and an exponent of ten, or a float when the digits do not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal {
    /// The number is `digits × 10^-scale`; `None` when only `float` is known.
    exact: Option<(i128, u32)>,
    float: f64,
}

/// Digits after the point of a quotient.
const PRECISION: u32 = 16;

impl Decimal {
    /// The decimal with the fewest digits that reads as this float; `None` when it is not finite.
    pub fn from_float(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        let text = float.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let exact = format!("{whole}{fraction}").parse().ok().zip(u32::try_from(fraction.len()).ok());
        Some(Self { exact: exact.filter(|(_, scale)| *scale <= 30), float })
    }

    /// The nearest float.
    pub fn to_float(self) -> f64 {
        let Some((digits, scale)) = self.exact else { return self.float };
        format!("{digits}e-{scale}").parse().unwrap_or(self.float)
    }

    fn with(exact: Option<(i128, u32)>, float: f64) -> Self {
        Self { exact, float }
    }

    /// Both numbers' digits at one scale.
    fn aligned(&self, other: &Self) -> Option<(i128, i128, u32)> {
        let ((a, a_scale), (b, b_scale)) = (self.exact?, other.exact?);
        let scale = a_scale.max(b_scale);
        let a = a.checked_mul(10i128.checked_pow(scale - a_scale)?)?;
        let b = b.checked_mul(10i128.checked_pow(scale - b_scale)?)?;
        Some((a, b, scale))
    }

    /// The sum.
    pub fn plus(self, other: &Self) -> Self {
        let exact = self.aligned(other).and_then(|(a, b, scale)| Some((a.checked_add(b)?, scale)));
        Self::with(exact, self.to_float() + other.to_float())
    }

    /// The difference.
    pub fn minus(self, other: &Self) -> Self {
        let exact = self.aligned(other).and_then(|(a, b, scale)| Some((a.checked_sub(b)?, scale)));
        Self::with(exact, self.to_float() - other.to_float())
    }

    /// The product.
    pub fn times(self, other: &Self) -> Self {
        let exact = self.exact.zip(other.exact).and_then(|((a, a_scale), (b, b_scale))| {
            Some((a.checked_mul(b)?, a_scale + b_scale)).filter(|(_, scale)| *scale <= 60)
        });
        Self::with(exact, self.to_float() * other.to_float())
    }

    /// The quotient with 16 digits after the point, rounded half away from zero; `None` for division by zero.
    pub fn divided_by(self, other: &Self) -> Option<Self> {
        if other.to_float() == 0.0 {
            return None;
        }
        let exact = self.aligned(other).and_then(|(a, b, _)| {
            let a = a.checked_mul(10i128.checked_pow(PRECISION)?)?;
            let (quotient, rest) = (a / b, a % b);
            let up = rest.unsigned_abs() * 2 >= b.unsigned_abs();
            let away = if (a < 0) == (b < 0) { 1 } else { -1 };
            Some((quotient + if up { away } else { 0 }, PRECISION))
        });
        Some(Self::with(exact, self.to_float() / other.to_float()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(float: f64) -> Decimal {
        Decimal::from_float(float).unwrap()
    }

    #[test]
    fn short_numbers_are_exact() {
        assert_eq!(decimal(1.1).plus(&decimal(2.2)).to_float(), 3.3);
        assert_eq!(decimal(0.3).minus(&decimal(0.1)).to_float(), 0.2);
        assert_eq!(decimal(1.1).times(&decimal(1.1)).to_float(), 1.21);
        assert_eq!(decimal(2.0).divided_by(&decimal(3.0)).unwrap().to_float(), 0.666_666_666_666_666_7);
        assert_eq!(decimal(-2.0).divided_by(&decimal(3.0)).unwrap().to_float(), -0.666_666_666_666_666_7);
        assert_eq!(decimal(1.0).divided_by(&decimal(0.0)), None);
        assert_eq!(Decimal::from_float(f64::INFINITY), None);
    }

    #[test]
    fn long_numbers_fall_back_to_floats() {
        for float in [1e300, -1e-300, f64::MAX, f64::MIN_POSITIVE, 1e38] {
            let number = decimal(float);
            assert_eq!(number.to_float(), float);
            let _ = number.plus(&number).times(&number).minus(&decimal(1.5)).divided_by(&decimal(7.0));
        }
    }
}
