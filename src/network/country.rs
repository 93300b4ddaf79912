//! Countries by their codes.

use std::fmt;

/// The officially assigned codes of ISO 3166-1 alpha-2, and `XK`, by which databases call Kosovo.
const CODES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// A country: two upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// A country that a configuration may name.
    pub fn parse(code: &str) -> Option<Self> {
        let country = Country::of_letters(code)?;
        CODES
            .split(' ')
            .any(|known| known == code)
            .then_some(country)
    }

    /// Whatever has the form of a code: databases may know countries that we do not.
    pub(super) fn of_letters(code: &str) -> Option<Self> {
        let letters: [u8; 2] = code.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Country(letters))
    }

    pub fn as_str(&self) -> &str {
        // Letters of ASCII alone.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its place among all pairs of letters: below 26 * 26.
    fn place(self) -> usize {
        let [first, second] = self.0.map(|letter| usize::from(letter - b'A'));
        first * LETTERS + second
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const LETTERS: usize = 26;
const WORDS: usize = (LETTERS * LETTERS).div_ceil(64);

/// Some countries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountrySet([u64; WORDS]);

impl CountrySet {
    pub fn contains(&self, country: Country) -> bool {
        let place = country.place();
        self.0
            .get(place / 64)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    pub fn insert(&mut self, country: Country) {
        let place = country.place();
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

impl FromIterator<Country> for CountrySet {
    fn from_iter<I: IntoIterator<Item = Country>>(countries: I) -> Self {
        let mut set = CountrySet::default();
        for country in countries {
            set.insert(country);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_ones_in_upper_case() {
        for good in ["DE", "US", "AD", "ZW", "XK"] {
            assert_eq!(Country::parse(good).unwrap().as_str(), good);
        }
        for bad in ["de", "De", "UK", "EU", "ZZ", "D", "DEU", "", "D ", "\u{c4}"] {
            assert_eq!(Country::parse(bad), None, "{bad}");
        }
        assert_eq!(CODES.split(' ').count(), 249 + 1);
        let mut sorted: Vec<_> = CODES.split(' ').collect();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.join(" "), CODES);
    }

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let all: Vec<Country> = CODES.split(' ').filter_map(Country::parse).collect();
        for &one in &all {
            let set: CountrySet = [one].into_iter().collect();
            let found: Vec<_> = all.iter().filter(|other| set.contains(**other)).collect();
            assert_eq!(found, [&one]);
        }
        assert!(CountrySet::default().is_empty());
    }
}
