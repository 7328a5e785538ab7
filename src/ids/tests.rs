use super::*;
use proptest::prelude::*;

#[test]
fn every_id_prints_and_parses_back() {
    let channel = ChannelId::generate();
    assert_eq!(ChannelId::parse(channel.as_str()), Some(channel.clone()));
    let message = MessageId::new(channel, Micros(1_760_000_000_123_456));
    assert_eq!(MessageId::parse(&message.to_string()), Some(message.clone()));
    let token = LeaseToken::new(message, LeaseToken::new_secret());
    assert_eq!(LeaseToken::parse(&token.to_string()), Some(token));
    let key = KeyId::generate("me");
    assert_eq!(KeyId::parse(key.as_str()), Some(key.clone()));
    assert_eq!(key.slot(), KeySlot::of_label("me"));
    let actor = ActorId::generate(&key.slot());
    assert_eq!(ActorId::parse(actor.as_str()).map(|a| a.slot()), Some(key.slot()));
}

#[test]
fn an_access_request_leads_to_who_asks_and_an_invitation_to_nothing() {
    let key = KeyId::generate("me");
    let request = AccessRequestId::generate(&key);
    assert_eq!(AccessRequestId::parse(request.as_str()).map(|r| r.requester()), Some(key));
    let invitation = InvitationId::generate();
    assert_eq!(InvitationId::parse(invitation.as_str()), Some(invitation));
}

#[test]
fn a_minted_key_is_presented_as_it_was_given_out() {
    let (text, minted) = PresentedKey::mint(KeyId::generate("me"));
    let presented = PresentedKey::parse(&text).expect("a minted key parses");
    assert_eq!((presented.id, presented.digest), (minted.id, minted.digest));
}

#[test]
fn timestamps_always_have_six_digits() {
    assert_eq!(Micros(1_763_774_821_000_000).rfc3339(), "2025-11-22T01:27:01.000000Z");
    assert_eq!(Micros(1_763_774_821_350_436).rfc3339(), "2025-11-22T01:27:01.350436Z");
    assert_eq!(Micros(0).rfc3339(), "1970-01-01T00:00:00.000000Z");
    assert_eq!(Micros(u64::MAX).rfc3339(), "9999-12-30T22:00:00.999999Z", "the latest time that there is");
}

proptest! {
    #[test]
    fn a_timestamp_is_read_as_the_time_it_was_written_for(micros in 0u64..253_402_207_200_000_000) {
        let read: jiff::Timestamp = Micros(micros).rfc3339().parse().expect("RFC 3339");
        prop_assert_eq!(u64::try_from(read.as_microsecond()), Ok(micros));
    }

    #[test]
    fn no_text_makes_a_parser_panic(s in "\\PC*") {
        let _ = (ChannelId::parse(&s), MessageId::parse(&s), LeaseToken::parse(&s), KeyId::parse(&s), ActorId::parse(&s));
        let _ = MessageId::parse(&format!("msg_{s}"));
        let _ = (PresentedKey::parse(&s), InvitationId::parse(&s), AccessRequestId::parse(&s));
    }
}
