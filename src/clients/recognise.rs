//! Who a recorded client is by the name of its recording. It is taken for no more than a name: what the client does is what its
//! profile says, and its bytes have to agree.

use super::{ClientSpec, KnownClient, families};

/// A variable of which our own recordings name neither the variable nor the value: `grpc-go-1.83.1-noalpnenv`.
const WITHOUT_ALPN: (&str, &str, &str) = ("noalpnenv", "GRPC_ENFORCE_ALPN_ENABLED", "false");

impl KnownClient {
    /// The client after which a recording is named, `CLIENT-VERSION[-env-VALUE|-MODE]__SERVER`, without the ending.
    pub(crate) fn by_recording(name: &str) -> Option<Self> {
        let (client, _server) = name.split_once("__")?;
        // A name may be the beginning of a longer one.
        let named = |name: &str| client.strip_prefix(name)?.strip_prefix('-');
        let of_name = families().iter().filter_map(|family| Some((family, named(&family.name)?)));
        let (family, rest) = of_name.max_by_key(|(family, _)| family.name.len())?;
        let (version, particular) = match rest.split_once('-') {
            Some((version, particular)) => (version, Some(particular)),
            None => (rest, None),
        };
        let (name, version) = (family.name.clone(), version.parse().ok()?);
        let mut spec = ClientSpec { name, version, ..ClientSpec::default() };
        match particular {
            None => {}
            Some(word) if word == WITHOUT_ALPN.0 => {
                spec.environment.insert(WITHOUT_ALPN.1.to_owned(), WITHOUT_ALPN.2.to_owned());
            }
            Some(particular) => match particular.strip_prefix("env-") {
                Some(value) => {
                    let mut variables = family.profiles.iter().flat_map(|profile| &profile.environment);
                    let (variable, value) = variables.find(|(_, known)| *known == value)?;
                    spec.environment.insert(variable.clone(), value.clone());
                }
                None => spec.mode = Some(particular.to_owned()),
            },
        }
        Self::find(&spec).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(known: Option<KnownClient>) -> Option<String> {
        known.map(|known| known.spec.to_string())
    }

    #[test]
    fn a_recording_is_named_after_its_client() {
        let by = |name| spec(KnownClient::by_recording(name));
        assert_eq!(by("grpc-go-1.33.3__direct").as_deref(), Some("grpc-go@1.33.3"));
        assert_eq!(by("grpc-java-1.57.2-okhttp__mute").as_deref(), Some("grpc-java@1.57.2/okhttp"));
        assert_eq!(
            by("grpc-go-1.17.0-env-on__eof").as_deref(),
            Some("grpc-go@1.17.0+GRPC_GO_REQUIRE_HANDSHAKE=on")
        );
        assert_eq!(
            by("grpc-go-1.83.1-noalpnenv__tls-direct").as_deref(),
            Some("grpc-go@1.83.1+GRPC_ENFORCE_ALPN_ENABLED=false")
        );
        assert_eq!(by("go-net-http-go1.27.3-h2c__direct").as_deref(), Some("go-net-http@go1.27.3/h2c"));
        assert_eq!(by("incident-2026-11-25__direct"), None);
        assert_eq!(by("grpc-go-1.33.3"), None);
    }
}
