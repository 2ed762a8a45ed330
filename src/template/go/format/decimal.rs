//! Decimal arithmetic, so that 1.1 + 2.2 is 3.3.

use num_bigint::BigInt;

/// A number as digits and an exponent of ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: BigInt,
    /// The number is `digits × 10^-scale`; never negative.
    scale: u32,
}

/// Digits after the point of a quotient.
const PRECISION: u32 = 16;

fn ten(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

impl Decimal {
    /// The decimal with the fewest digits that reads as this float; `None` when it is not finite.
    pub fn from_float(float: f64) -> Option<Self> {
        let text = float.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { digits, scale: u32::try_from(fraction.len()).ok()? })
    }

    /// The nearest float.
    pub fn to_float(&self) -> f64 {
        format!("{}e-{}", self.digits, self.scale).parse().unwrap_or(f64::NAN)
    }

    /// The length of its digits in words of the machine.
    pub fn words(&self) -> u64 {
        self.digits.bits() / 64
    }

    /// Both numbers' digits at one scale.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, u32) {
        let scale = self.scale.max(other.scale);
        (&self.digits * ten(scale - self.scale), &other.digits * ten(scale - other.scale), scale)
    }

    /// The sum.
    pub fn plus(&self, other: &Self) -> Self {
        let (a, b, scale) = self.aligned(other);
        Self { digits: a + b, scale }
    }

    /// The difference.
    pub fn minus(&self, other: &Self) -> Self {
        let (a, b, scale) = self.aligned(other);
        Self { digits: a - b, scale }
    }

    /// The product.
    pub fn times(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, scale: self.scale + other.scale }
    }

    /// The quotient with 16 digits after the point, rounded half away from zero; `None` for division by zero.
    pub fn divided_by(&self, other: &Self) -> Option<Self> {
        let (a, b, _) = self.aligned(other);
        let a = a * ten(PRECISION);
        let quotient = a.checked_div(&b)?;
        let rest = &a - &quotient * &b;
        let is_up = rest.magnitude() * 2_u8 >= *b.magnitude();
        let away = if a.sign() == b.sign() { 1 } else { -1 };
        Some(Self { digits: quotient + if is_up { away } else { 0 }, scale: PRECISION })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(float: f64) -> Decimal {
        Decimal::from_float(float).unwrap()
    }

    #[test]
    fn sums_products_and_quotients_are_those_of_decimals() {
        assert_eq!(decimal(1.1).plus(&decimal(2.2)).to_float(), 3.3);
        assert_eq!(decimal(0.3).minus(&decimal(0.1)).to_float(), 0.2);
        assert_eq!(decimal(1.1).times(&decimal(1.1)).to_float(), 1.21);
        assert_eq!(decimal(2.0).divided_by(&decimal(3.0)).unwrap().to_float(), 0.666_666_666_666_666_7);
        assert_eq!(decimal(-2.0).divided_by(&decimal(3.0)).unwrap().to_float(), -0.666_666_666_666_666_7);
        assert_eq!(decimal(1.0).divided_by(&decimal(0.0)), None);
        assert_eq!(Decimal::from_float(f64::INFINITY), None);
        assert_eq!(Decimal::from_float(f64::NAN), None);
    }

    #[test]
    fn a_quotient_goes_on_with_the_digits_it_has() {
        let chain = decimal(1.0).divided_by(&decimal(821_231.187e3)).unwrap();
        assert_eq!(chain.to_float(), 1.2176839e-9);
        assert_eq!(chain.times(&decimal(1e300)).to_float(), 1.2176839e291);
    }

    #[test]
    fn numbers_of_any_length_keep_all_digits() {
        for float in [1e300, -1e-300, f64::MAX, f64::MIN_POSITIVE, 1e38, 5e-324, 0.0] {
            let number = decimal(float);
            assert_eq!(number.to_float(), float);
            assert_eq!(number.plus(&decimal(1.5)).minus(&decimal(1.5)).to_float(), float);
        }
    }
}
