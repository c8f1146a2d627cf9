//! The target `script`: whatever the bytes are, as a text or as bytes, the three forms of a script say the same.

use crate::script::Script;

/// Takes the bytes as a script in its byte form, which any bytes are, and as a text, which few are.
///
/// # Panics
///
/// If a script's text or its bytes are another script, or if few bytes are a script of many.
pub fn script(bytes: &[u8]) {
    let script = Script::from_bytes(bytes);
    let written = survives(&script);
    // What is short by convention is spelled out: a client that is not named, at the most.
    assert!(written.len() <= 64 + 6 * bytes.len(), "{} bytes of {}", written.len(), bytes.len());
    if let Ok(Ok(script)) = std::str::from_utf8(bytes).map(|text| Script::parse("fuzzed", text)) {
        survives(&script);
    }
}

fn survives(script: &Script) -> Vec<u8> {
    let text = script.to_string();
    match Script::parse("printed", &text) {
        Ok(read) => assert_eq!(read, *script, "its text is another script:\n{text}"),
        Err(error) => panic!("its text can't be read: {error}\n{text}"),
    }
    let bytes = script.to_bytes();
    assert_eq!(Script::from_bytes(&bytes), *script, "its bytes are another script:\n{text}");
    bytes
}
