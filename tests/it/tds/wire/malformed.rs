//! Clients that do not speak TDS, or not correctly: they are hung up on, and others are served.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::backend::Fake;
use super::{connect, plain, soon};

fn packet(kind: u8, status: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 8) as u16;
    let mut packet = vec![kind, status];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 1, 0]);
    packet.extend(body);
    packet
}

/// Sends this and reads until the server closes.
async fn ends(port: u16, bytes: &[u8]) {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    let mut buf = Vec::new();
    let _ = soon(tcp.read_to_end(&mut buf)).await;
}

#[tokio::test]
async fn nonsense_is_hung_up_on() {
    let fake = Fake::new();
    let server = plain(&fake);
    let port = server.port();
    let prelogin = packet(0x12, 1, &[1, 0, 6, 0, 1, 0xFF, 2]);
    let with = |rest: Vec<u8>| [prelogin.clone(), rest].concat();
    ends(port, b"GET / HTTP/1.1\r\n\r\n").await;
    ends(port, &packet(0x12, 1, &[])).await;
    ends(port, &packet(0x12, 1, &[1, 0xFF, 0xFF, 0xFF, 0xFF])).await;
    ends(port, &[0x12, 1, 0, 3, 0, 0, 1, 0]).await;
    ends(port, &packet(0x01, 1, &[0; 40])).await;
    ends(port, &with(packet(0x10, 1, &[]))).await;
    ends(port, &with(packet(0x10, 1, &[0xFF; 94]))).await;
    ends(port, &with(packet(0x01, 1, &[0; 94]))).await;
    ends(port, &with([packet(0x10, 0, &[0; 50]), packet(0x01, 1, &[0; 50])].concat())).await;
    connect(&server).await.unwrap();
}

/// LOGIN7 with empty fields but for user and password, as `Fake` wants them.
fn login() -> Vec<u8> {
    let mut body = vec![0_u8; 94];
    let mut put = |at: usize, text: &str, hide: bool| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (offset, chars) = (body.len() as u16, (units.len() / 2) as u16);
        body[at..at + 2].copy_from_slice(&offset.to_le_bytes());
        body[at + 2..at + 4].copy_from_slice(&chars.to_le_bytes());
        body.extend(units.iter().map(|b| if hide { b.rotate_left(4) ^ 0xA5 } else { *b }));
    };
    put(40, "sa", false);
    put(44, "Pa55'wörd", true);
    packet(0x10, 1, &body)
}

#[tokio::test]
async fn nonsense_after_the_login_is_hung_up_on() {
    let fake = Fake::new();
    let server = plain(&fake);
    let start = [packet(0x12, 1, &[1, 0, 6, 0, 1, 0xFF, 2]), login()].concat();
    let headers = [22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    let call = |rest: &[u8]| packet(0x03, 1, &[&headers[..], &[0xFF, 0xFF, 10, 0, 0, 0], rest].concat());
    for request in [
        packet(0x01, 1, &[]),
        packet(0x01, 1, &[0xFF; 8]),
        packet(0x01, 1, &[&headers[..], b"odd"].concat()),
        packet(0x03, 1, &headers),
        call(&[]),
        call(&[0, 0, 0xE7, 0x40, 0x1F, 0, 0, 0, 0, 0, 0xFF, 0x7F, 1]),
        call(&[9, 0]),
        call(&[0, 0, 0xE7, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 9, 9]),
    ] {
        ends(server.port(), &[start.clone(), request].concat()).await;
    }
    assert!(fake.heard().is_empty());
    assert_eq!(server.logins().len(), 8);
}
