//! A DNS server on loopback, over UDP and TCP, that says what a test wants, faults included.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// What is said about one name.
#[derive(Clone, Debug)]
pub enum Says {
    /// TXT records, each of pieces.
    Texts(Vec<Vec<String>>),
    /// An alias, with the records of its target if there are any.
    Alias(String),
    /// An error code.
    Code(ResponseCode),
    /// Nothing at all.
    Silence,
    /// Bytes that are no message.
    Garbage,
    /// The right texts, but for another name.
    OtherName(Vec<String>),
}

type Zone = Arc<Mutex<BTreeMap<String, Says>>>;

/// The server.
pub struct Dns {
    /// Where it listens, UDP and TCP.
    pub address: SocketAddr,
    zone: Zone,
    asked: Arc<Mutex<Vec<String>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Dns {
    /// Starts a server that knows no name.
    pub async fn start() -> Self {
        let (zone, asked): (Zone, Arc<Mutex<Vec<String>>>) = Default::default();
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let tasks = vec![
            tokio::spawn(serve_udp(udp, Arc::clone(&zone), Arc::clone(&asked))),
            tokio::spawn(serve_tcp(tcp, Arc::clone(&zone), Arc::clone(&asked))),
        ];
        Self {
            address,
            zone,
            asked,
            tasks,
        }
    }

    /// Sets what is said about a name.
    pub fn say(&self, name: &str, says: Says) {
        self.zone.lock().unwrap().insert(name.to_ascii_lowercase(), says);
    }

    /// Publishes one text under a name.
    pub fn publish(&self, name: &str, text: &str) {
        self.say(name, Says::Texts(vec![vec![text.to_owned()]]));
    }

    /// Forgets a name.
    pub fn forget(&self, name: &str) {
        self.zone.lock().unwrap().remove(name);
    }

    /// Lists the names that were asked for, in lower case.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn serve_udp(socket: UdpSocket, zone: Zone, asked: Arc<Mutex<Vec<String>>>) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if let Some(mut answer) = answer(&buffer[..length], &zone, &asked) {
            if answer.len() > 1200 {
                let short = Message::from_vec(&answer).unwrap().truncate();
                answer = short.to_vec().unwrap();
            }
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, zone: Zone, asked: Arc<Mutex<Vec<String>>>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        let (zone, asked) = (Arc::clone(&zone), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut question = vec![0; usize::from(length)];
                if stream.read_exact(&mut question).await.is_err() {
                    return;
                }
                let Some(answer) = answer(&question, &zone, &asked) else {
                    return;
                };
                let _ = stream.write_u16(u16::try_from(answer.len()).unwrap()).await;
                let _ = stream.write_all(&answer).await;
            }
        });
    }
}

fn answer(question: &[u8], zone: &Zone, asked: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    asked.lock().unwrap().push(name.clone());
    let zone = zone.lock().unwrap().clone();
    let mut message = Message::response(question.metadata.id, question.metadata.op_code);
    message.metadata.recursion_available = true;
    message.add_query(query.clone());
    let mut owner = query.name().clone();
    match zone.get(&name) {
        None => message.metadata.response_code = ResponseCode::NXDomain,
        Some(Says::Code(code)) => message.metadata.response_code = *code,
        Some(Says::Silence) => return None,
        Some(Says::Garbage) => return Some(b"this is no DNS message at all, however long it is".to_vec()),
        Some(Says::OtherName(texts)) => {
            let other = Name::from_ascii("other.example.").unwrap();
            message.add_answer(txt(other, texts));
        }
        Some(Says::Texts(records)) => {
            for pieces in records {
                message.add_answer(txt(owner.clone(), pieces));
            }
        }
        Some(Says::Alias(target)) => {
            let target_name = Name::from_ascii(format!("{target}.")).unwrap();
            message.add_answer(Record::from_rdata(
                owner,
                60,
                RData::CNAME(CNAME(target_name.clone())),
            ));
            owner = target_name;
            if let Some(Says::Texts(records)) = zone.get(target) {
                for pieces in records {
                    message.add_answer(txt(owner.clone(), pieces));
                }
            }
        }
    }
    message.to_vec().ok()
}

fn txt(owner: Name, pieces: &[String]) -> Record {
    Record::from_rdata(owner, 60, RData::TXT(TXT::new(pieces.to_vec())))
}
