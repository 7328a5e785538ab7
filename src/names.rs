//! What a name may be: of a channel, an alias, an actor, a label.

/// Characters that show nothing or change how what follows is shown (protocol, chapter 4): two names that look alike must be alike.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(u32::from(c), 0xAD | 0x61C | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064 | 0x2066..=0x2069 | 0xFEFF)
}

/// Whether a name holds no control and no invisible formatting characters. Other Unicode is fine.
pub fn is_plain(name: &str) -> bool {
    !name.chars().any(is_invisible)
}

/// Whether a name is plain and has 1 to `most` characters.
pub fn is_name(name: &str, most: usize) -> bool {
    !name.is_empty() && name.chars().count() <= most && is_plain(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_unicode_are_fine_and_what_cannot_be_seen_is_not() {
        for good in ["deploy-jobs", "<script>", "Überweisung", "任务", "a b"] {
            assert!(is_name(good, 200), "{good}");
        }
        for bad in ["", "a\0b", "a\nb", "soft\u{AD}hyphen", "zero\u{200B}width", "\u{202E}txet", "\u{FEFF}bom", "a\u{7f}"] {
            assert!(!is_name(bad, 200), "{bad:?}");
        }
        assert!(!is_name(&"x".repeat(201), 200));
    }
}
