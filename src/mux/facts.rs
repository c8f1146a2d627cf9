//! What is known of a connection besides its bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tonic::transport::server::TcpConnectInfo;

use crate::wire::proxy::Header;
use crate::wire::tls::ProtocolVersion;

/// What is known of a connection besides its bytes: who is at the other end, and what TLS agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The address that the connection came from: a load balancer's, if there is one.
    pub socket_peer: Option<SocketAddr>,
    /// The address that it came to.
    pub socket_local: Option<SocketAddr>,
    /// What its PROXY header says.
    pub proxy_header: Option<Arc<Header>>,
    /// What TLS agreed on, if it was taken off here.
    pub tls: Option<Arc<TlsFacts>>,
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Whom the client called (SNI).
    pub server_name: Option<String>,
    /// The protocol (ALPN).
    pub protocol: Option<Vec<u8>>,
    /// The version.
    pub version: Option<ProtocolVersion>,
    /// The client's certificates, its own first.
    pub client_certificates: Vec<CertificateDer<'static>>,
}

impl Facts {
    /// Who connected: as the PROXY header says, or else the socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stated().map(|stated| stated.source).or(self.socket_peer)
    }

    /// To what address: as the PROXY header says, or else the socket.
    pub fn local(&self) -> Option<SocketAddr> {
        self.stated().map(|stated| stated.destination).or(self.socket_local)
    }

    fn stated(&self) -> Option<crate::wire::proxy::Addresses> {
        self.proxy_header.as_ref().and_then(|header| header.addresses)
    }

    /// The addresses as tonic's `Request::remote_addr` knows them.
    pub(super) fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: self.local(), remote_addr: self.peer() }
    }
}

impl TlsFacts {
    pub(super) fn of(connection: &rustls::ServerConnection) -> Self {
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            server_name: connection.server_name().map(str::to_owned),
            protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            version: connection.protocol_version().map(|version| u16::from(version).into()),
            client_certificates: certificates
                .iter()
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
        }
    }
}
