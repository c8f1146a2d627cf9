//! What may differ between two texts that say the same: durations and times of day.

/// The text without white space at its end, which some recorders cut off, and with every number before `ns`, `s`, ` seconds` or ` milliseconds`, the number after `buffered_nanos=`, and
/// every ISO 8601 time and HTTP date replaced by `N`.
pub fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.trim_end();
    while let Some(character) = rest.chars().next() {
        if has_shape(rest, HTTP_DATE) {
            masked.push('N');
            rest = &rest[HTTP_DATE.len()..];
            continue;
        }
        if !character.is_ascii_digit() {
            masked.push(character);
            rest = &rest[character.len_utf8()..];
            continue;
        }
        let time = iso_time(rest);
        let number = number(rest);
        if time > 0 {
            masked.push('N');
            rest = &rest[time..];
        } else {
            let after = &rest[number..];
            if before_unit(after) || masked.ends_with("buffered_nanos=") {
                masked.push('N');
            } else {
                masked.push_str(&rest[..number]);
            }
            rest = after;
        }
    }
    masked
}

/// The length of the number at the beginning: digits, and a fraction if there is one.
fn number(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    match text[whole..].strip_prefix('.').map(digits) {
        Some(fraction) if fraction > 0 => whole + 1 + fraction,
        _ => whole,
    }
}

fn before_unit(text: &str) -> bool {
    ["ns", "s", " seconds", " milliseconds"].iter().any(|unit| {
        text.strip_prefix(unit)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    })
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
const HTTP_DATE: &str = "aaa, dd aaa dddd dd:dd:dd GMT";

/// The length of a time such as `2026-11-22T14:18:03.177Z` at the beginning; 0 if there is none.
fn iso_time(text: &str) -> usize {
    let shape = "dddd-dd-ddTdd:dd:dd";
    if !has_shape(text, shape) {
        return 0;
    }
    let tail = text[shape.len()..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let zone = usize::from(text[shape.len() + tail..].starts_with('Z'));
    shape.len() + tail + zone
}

/// Whether the text begins so, where `d` stands for any digit and `a` for any letter.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            form => byte == form,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_masked_and_nothing_else() {
        assert_eq!(masked("after 25.003s, name: 0.013s"), "after Ns, name: Ns");
        assert_eq!(masked("after 24951343439ns"), "after Ns".replace("Ns", "Nns"));
        assert_eq!(
            masked("buffered_nanos=24868870909, delay 0.12 seconds"),
            "buffered_nanos=N, delay N seconds"
        );
        assert_eq!(masked("error (2026-11-22T14:18:03.177Z)"), "error (N)");
        assert_eq!(masked("error (2026-11-22T14:18:03.177Z). Note: "), "error (N). Note:");
        assert_eq!(masked("date=Sun, 29 Nov 2026 17:18:31 GMT,x"), "date=N,x");
        assert_eq!(masked("Sun, 29 Nov 2026"), "Sun, 29 Nov 2026");
        assert_eq!(masked("code=14 HTTP/1.1 104 sockets"), "code=14 HTTP/1.1 104 sockets");
    }
}
