//! Which rule wins, and when.

use super::*;
use crate::wire::PREFACE;
use bytes::Bytes;

fn grpc_and_http() -> Arc<Rules> {
    Arc::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1))
}

fn verdict(rules: &Arc<Rules>, pieces: &[&[u8]]) -> Verdict {
    let mut classifier = Classifier::new(Arc::clone(rules), DEFAULT_LIMIT);
    for piece in pieces {
        classifier.push(piece);
    }
    classifier.verdict().clone()
}

#[test]
fn a_catch_all_does_not_win_while_an_earlier_rule_is_undecided() {
    let rules = Arc::new(Rules::new().to("grpc", Rule::Grpc).to("rest", Rule::Any));
    assert_eq!(verdict(&rules, &[b"PRI * HT"]), Verdict::NeedMore);
    assert_eq!(verdict(&rules, &[b"PRI * HX"]), Verdict::Match(Route::new("rest")));
}

#[test]
fn a_catch_all_alone_needs_no_bytes() {
    let rules = Arc::new(Rules::new().to("rest", Rule::Any));
    assert_eq!(verdict(&rules, &[]), Verdict::Match(Route::new("rest")));
}

#[test]
fn what_fits_no_rule_is_rejected_at_once() {
    assert_eq!(verdict(&grpc_and_http(), &[b"\x16\x03"]), Verdict::Reject(Rejection::NoRule));
}

#[test]
fn the_limit_is_hard_and_does_not_depend_on_the_cuts() {
    let rules = Arc::new(Rules::new().to("long", Rule::Bytes(Bytes::from_static(&[7; 100]))));
    let decide = |pieces: &[&[u8]]| {
        let mut classifier = Classifier::new(Arc::clone(&rules), 50);
        pieces.iter().for_each(|piece| drop(classifier.push(piece).clone()));
        classifier.verdict().clone()
    };
    assert_eq!(decide(&[&[7; 100]]), Verdict::Reject(Rejection::TooLong));
    assert_eq!(decide(&[&[7; 49], &[7; 51]]), Verdict::Reject(Rejection::TooLong));
    assert_eq!(decide(&[&[7; 49]]), Verdict::NeedMore);
}

#[test]
fn preface_and_settings_alone_wait_for_a_request() {
    let opening = [&PREFACE[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let mut decision = Decision::new(grpc_and_http(), DEFAULT_LIMIT, ProxyHeaders::Unexpected);
    decision.look(&PREFACE);
    assert!(!decision.waits_for_a_request(&PREFACE));
    decision.look(&opening);
    assert!(decision.waits_for_a_request(&opening));
}

#[test]
fn what_stands_behind_a_proxy_header_is_classified_alike() {
    let header = Header::new(None).encode(crate::wire::proxy::Version::V2);
    let whole = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
    for headers in [ProxyHeaders::Optional, ProxyHeaders::Required] {
        for cut in 0..=whole.len() {
            let mut classifier = Classifier::expecting(headers, grpc_and_http(), DEFAULT_LIMIT);
            classifier.push(&whole[..cut]);
            classifier.push(&whole[cut..]);
            assert_eq!(*classifier.verdict(), Verdict::Match(Route::new("http")));
            assert_eq!(classifier.proxy_header(), Some((&Header::default(), header.len())));
        }
    }
    let mut strict = Classifier::expecting(ProxyHeaders::Required, grpc_and_http(), DEFAULT_LIMIT);
    assert_eq!(*strict.push(b"GET /"), Verdict::Reject(Rejection::NoProxyHeader));
    let mut relaxed = Classifier::expecting(ProxyHeaders::Optional, grpc_and_http(), DEFAULT_LIMIT);
    assert_eq!(*relaxed.push(b"P"), Verdict::NeedMore);
    assert_eq!(*relaxed.push(b"UT / HTTP/1.1\r\n"), Verdict::Match(Route::new("http")));
}

#[test]
fn each_rejection_is_told_in_words_of_its_own() {
    let all = [
        Rejection::NoRule,
        Rejection::TooLong,
        Rejection::Flood,
        Rejection::NoProxyHeader,
        Rejection::BadProxyHeader,
    ];
    let told: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), all.len());
    assert_eq!(Rejection::NoProxyHeader.to_string(), "there is no PROXY header");
}

#[test]
fn nobody_waits_for_a_request_who_has_one_or_can_get_none() {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const HEADERS: &[u8] = &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x82];
    const DATA: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 1];
    let undecided = Arc::new(Rules::new().to("mine", Rule::custom("mine", |_: &[u8]| Answer::NeedMore)));
    let header = Header::new(None).encode(crate::wire::proxy::Version::V2);
    let waits = |rules: &Arc<Rules>, bytes: &[u8]| {
        let mut decision = Decision::new(Arc::clone(rules), DEFAULT_LIMIT, ProxyHeaders::Optional);
        decision.look(bytes);
        decision.waits_for_a_request(bytes)
    };
    let opening = [&PREFACE[..], SETTINGS].concat();
    for (rules, more, expected) in [
        (&undecided, &b""[..], true),
        (&undecided, HEADERS, false),
        (&undecided, DATA, false),
        (&grpc_and_http(), b"", true),
        (&Arc::new(Rules::new().to("all", Rule::Http2)), b"", false),
    ] {
        assert_eq!(waits(rules, &[&opening, more].concat()), expected, "{rules:?} {more:?}");
        assert_eq!(waits(rules, &[&header, &opening[..], more].concat()), expected, "{rules:?} {more:?}");
    }
    assert!(!waits(&undecided, &header[..5]));
    assert!(!waits(&undecided, b"GET / HTTP/1.1\r\n"));
}

#[test]
fn with_no_room_at_all_it_is_no_before_anything_comes() {
    let classifier = Classifier::new(grpc_and_http(), 0);
    assert_eq!(*classifier.verdict(), Verdict::Reject(Rejection::TooLong));
    assert_eq!(*Classifier::new(grpc_and_http(), 1).verdict(), Verdict::NeedMore);
}

#[test]
fn rules_are_told_in_the_order_of_their_priority() {
    let rules = Rules::new().to("web", Rule::Http1).to("grpc", Rule::Grpc).to("web", Rule::Http2);
    let told: Vec<_> = rules.iter().map(|(rule, route)| (rule.clone(), route.name())).collect();
    assert_eq!(told, [(Rule::Http1, "web"), (Rule::Grpc, "grpc"), (Rule::Http2, "web")]);
}
