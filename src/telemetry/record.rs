//! The record of one exchange and its two spellings, JSON and text.

use std::fmt::Write as _;
use std::time::Duration;

/// How one exchange went. Written once, when it has ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// Wall clock at the start.
    pub started: Duration,
    /// Node name.
    pub node: &'a str,
    pub core: usize,
    pub request_id: &'a str,
    /// The trace it belongs to; empty where it told none, or none that is well-formed.
    pub trace_id: &'a str,
    /// Empty where it is unknown.
    pub client: &'a str,
    /// Empty where the head could not be read.
    pub method: &'a [u8],
    pub scheme: &'a str,
    pub host: &'a str,
    /// Without the query; empty where the head could not be read.
    pub path: &'a [u8],
    /// The tunnel's configured hostname; empty where none was found.
    pub tunnel: &'a str,
    /// What was sent to the client; 0 where nothing was.
    pub status: u16,
    /// `forwarded`, or why not: from a closed list.
    pub reason: &'static str,
    /// Which rule an upstream's answer broke; empty otherwise.
    pub detail: &'static str,
    pub mechanism: &'static str,
    /// Who it was; empty where nobody was asked.
    pub credential: &'a str,
    /// Who ended the exchange: `complete`, `client`, `upstream`, `edge`.
    pub ended_by: &'a str,
    /// What it was doing then.
    pub phase: &'a str,
    pub duration: Duration,
    /// Body bytes from the client and to the client.
    pub bytes_in: u64,
    pub bytes_out: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Text,
}

/// Appends one line. Allocates only where `line` has to grow.
pub fn write(record: &Record<'_>, format: Format, line: &mut Vec<u8>) {
    let mut time = arrayvec::ArrayString::<40>::new();
    let _ = write!(time, "{}", Timestamp(record.started));
    let mut fields = Fields {
        line,
        format,
        first: true,
    };
    fields.open();
    fields.text("time", time.as_bytes());
    fields.text("node", record.node.as_bytes());
    fields.number("core", record.core as u64);
    fields.text("request_id", record.request_id.as_bytes());
    if !record.trace_id.is_empty() {
        fields.text("trace_id", record.trace_id.as_bytes());
    }
    fields.text("client", record.client.as_bytes());
    fields.text("method", record.method);
    fields.text("scheme", record.scheme.as_bytes());
    fields.text("host", record.host.as_bytes());
    fields.text("path", record.path);
    fields.text("tunnel", record.tunnel.as_bytes());
    fields.number("status", record.status.into());
    fields.text("reason", record.reason.as_bytes());
    fields.text("detail", record.detail.as_bytes());
    fields.text("mechanism", record.mechanism.as_bytes());
    fields.text("credential", record.credential.as_bytes());
    fields.text("ended_by", record.ended_by.as_bytes());
    fields.text("phase", record.phase.as_bytes());
    fields.number(
        "duration_us",
        u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
    );
    fields.number("bytes_in", record.bytes_in);
    fields.number("bytes_out", record.bytes_out);
    fields.close();
}

struct Fields<'l> {
    line: &'l mut Vec<u8>,
    format: Format,
    first: bool,
}

impl Fields<'_> {
    fn open(&mut self) {
        if self.format == Format::Json {
            self.line.push(b'{');
        }
    }

    fn close(&mut self) {
        if self.format == Format::Json {
            self.line.push(b'}');
        }
        self.line.push(b'\n');
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.line.push(if self.format == Format::Json {
                b','
            } else {
                b' '
            });
        }
        self.first = false;
        if self.format == Format::Json {
            self.line.push(b'"');
        }
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(if self.format == Format::Json {
            b"\":"
        } else {
            b"="
        });
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.line
            .extend_from_slice(crate::http::decimal(value, &mut [0; 20]));
    }

    /// Everything outside printable ASCII is escaped, so that a line stays a line and a terminal stays calm (S10.3).
    fn text(&mut self, name: &str, value: &[u8]) {
        if self.format == Format::Text && value.is_empty() {
            return;
        }
        self.name(name);
        self.line.push(b'"');
        for &byte in value {
            match byte {
                b'"' | b'\\' => self.line.extend_from_slice(&[b'\\', byte]),
                b' '..=b'~' => self.line.push(byte),
                _ => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    let digit = |index: u8| HEX.get(usize::from(index)).copied().unwrap_or(b'?');
                    self.line.extend_from_slice(b"\\u00");
                    self.line
                        .extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
                }
            }
        }
        self.line.push(b'"');
    }
}

/// RFC 3339 in UTC with milliseconds.
struct Timestamp(Duration);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days = self.0.as_secs() / 86_400;
        let second = self.0.as_secs() % 86_400;
        let (year, month, day) = civil(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.0.subsec_millis()
        )
    }
}

/// Year, month and day of a day since the epoch, in the Gregorian calendar counted from 1 March of year 0, where a leap
/// day is the last day of its year.
fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_EPOCH: u64 = 719_468;
    const DAYS_IN_ERA: u64 = 146_097;
    let days = days_since_epoch + DAYS_BEFORE_EPOCH;
    let (era, day_of_era) = (days / DAYS_IN_ERA, days % DAYS_IN_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record<'static> {
        Record {
            started: Duration::from_millis(1_709_210_096_789),
            node: "edge-1",
            core: 1,
            request_id: "id",
            trace_id: "",
            client: "192.0.2.1",
            method: b"GET",
            scheme: "https",
            host: "app.example",
            path: b"/a\"b\xc3\xa4\n",
            tunnel: "app.example",
            status: 403,
            reason: "path_outside_boundary",
            detail: "",
            mechanism: "token",
            credential: "ci",
            ended_by: "edge",
            phase: "decision",
            duration: Duration::from_micros(42),
            bytes_in: 0,
            bytes_out: 22,
        }
    }

    #[test]
    fn a_json_line_is_one_value_with_everything_escaped() {
        let mut line = Vec::new();
        write(&record(), Format::Json, &mut line);
        assert!(line.is_ascii() && line.iter().filter(|&&byte| byte == b'\n').count() == 1);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["time"], "2024-02-29T12:34:56.789Z");
        assert_eq!(value["path"], "/a\"b\u{c3}\u{a4}\n");
        assert_eq!(
            (value["status"].as_u64(), value["duration_us"].as_u64()),
            (Some(403), Some(42))
        );
        assert_eq!(value["reason"], "path_outside_boundary");
        assert_eq!(value.get("trace_id"), None, "nothing to look for");
    }

    #[test]
    fn a_text_line_leaves_out_what_is_empty() {
        let mut line = Vec::new();
        write(
            &Record {
                credential: "",
                ..record()
            },
            Format::Text,
            &mut line,
        );
        let line = String::from_utf8(line).unwrap();
        assert!(line.starts_with("time=\"2024-02-29T12:34:56.789Z\" node=\"edge-1\" core=1 "));
        assert!(!line.contains("credential=") && line.ends_with("bytes_out=22\n"));
    }

    #[test]
    fn dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_088, (2024, 12, 31)),
        ] {
            assert_eq!(civil(days), expected);
        }
    }
}
