//! tcpdump on loopback while clients run, and the packets of each server's port afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etherparse::{SlicedPacket, TransportSlice};
use muxbed::capture::writer::{ByteOrder, Interface, PcapWriter, PcapngWriter};
use muxbed::capture::{Clock, Packet, Packets, Resolution, SecretsKind};

/// A capture under way.
pub(crate) struct Recorder {
    tcpdump: Child,
    file: PathBuf,
}

/// All that was captured.
pub(crate) struct Captured(Vec<u8>);

impl Recorder {
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let file = folder.join("all.pcap");
        let tcpdump = Command::new("tcpdump")
            .args(["-i", "lo", "-U", "-s", "0", "-B", "65536", "-Z", "root", "-w"])
            .arg(&file)
            .arg("tcp")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("recording wants tcpdump: {error}"))?;
        // It has begun once the file's header is written.
        for _ in 0..100 {
            if fs::metadata(&file).is_ok_and(|metadata| metadata.len() >= 24) {
                break;
            }
            pause(Duration::from_millis(50));
        }
        Ok(Self { tcpdump, file })
    }

    pub(crate) fn stop(mut self) -> Result<Captured, String> {
        // The last packets are handed over by the kernel in batches.
        pause(Duration::from_secs(2));
        drop(self.tcpdump.kill());
        drop(self.tcpdump.wait());
        let bytes = fs::read(&self.file).map_err(|error| format!("{}: {error}", self.file.display()))?;
        fs::remove_file(&self.file).map_err(|error| error.to_string())?;
        Ok(Captured(bytes))
    }
}

#[expect(clippy::disallowed_methods, reason = "waits for a real process")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

impl Captured {
    /// The packets to and from each port, in order.
    pub(crate) fn by_port(&self) -> Result<std::collections::BTreeMap<u16, Vec<Packet<'_>>>, String> {
        let mut ports = std::collections::BTreeMap::<u16, Vec<Packet<'_>>>::new();
        for packet in Packets::new(&self.0).map_err(|error| error.to_string())? {
            // tcpdump was stopped in the middle of a packet.
            let Ok(packet) = packet else { break };
            let Ok(sliced) = SlicedPacket::from_ethernet(packet.bytes) else { continue };
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { continue };
            ports.entry(tcp.source_port()).or_default().push(packet.clone());
            ports.entry(tcp.destination_port()).or_default().push(packet);
        }
        Ok(ports)
    }
}

/// A capture file of these packets: pcap, or with secrets pcapng.
pub(crate) fn file_of(packets: &[Packet<'_>], keys: Option<&[u8]>) -> Vec<u8> {
    let Some(first) = packets.first() else {
        return PcapWriter::new(ByteOrder::Little, false, muxbed::capture::LinkType::Ethernet, 262_144)
            .take();
    };
    let Some(keys) = keys else {
        let mut writer = PcapWriter::new(ByteOrder::Little, false, first.link, 262_144);
        for packet in packets {
            writer.packet(packet.timestamp.unwrap_or_default(), packet.bytes, packet.original_length);
        }
        return writer.take();
    };
    let mut writer = PcapngWriter::new(ByteOrder::Little);
    let clock = Clock { resolution: Resolution::MICROSECONDS, offset: 0 };
    let interface = writer.interface(Interface { link: first.link, snapshot_length: 262_144, clock });
    let own = keys_of(packets, keys);
    if !own.is_empty() {
        writer.secrets(SecretsKind::TlsKeyLog, &own);
    }
    for packet in packets {
        writer.packet(interface, packet.timestamp.unwrap_or_default(), packet.bytes, packet.original_length);
    }
    writer.take()
}

/// The lines of a key log that belong to sessions of these packets: those whose client's random was sent.
fn keys_of(packets: &[Packet<'_>], keys: &[u8]) -> Vec<u8> {
    let mut own = Vec::new();
    for line in keys.split_inclusive(|byte| *byte == b'\n') {
        let random =
            line.split(|byte| *byte == b' ').nth(1).and_then(unhexed).filter(|random| random.len() == 32);
        let Some(random) = random else { continue };
        let was_sent =
            |packet: &Packet<'_>| packet.bytes.windows(random.len()).any(|window| window == random);
        if packets.iter().any(was_sent) {
            own.extend_from_slice(line);
        }
    }
    own
}

fn unhexed(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}
