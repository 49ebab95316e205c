//! Asks a server of this machine as fast as it answers, on a few connections that are kept, and says how long answers
//! took. It shares the cores with the server, so what it says is the least that the server does.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What asking came to.
pub(super) struct Load {
    /// Seconds from the first question to the last answer.
    pub(super) seconds: f64,
    /// Milliseconds of each answer, sorted.
    pub(super) milliseconds: Vec<f64>,
    /// Answers that were no 200.
    pub(super) others: usize,
    /// Bytes of all bodies.
    pub(super) bytes: usize,
}

impl Load {
    fn share(&self, share: f64) -> f64 {
        let last = self.milliseconds.len().saturating_sub(1) as f64;
        self.milliseconds.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        let count = self.milliseconds.len();
        let others = if self.others == 0 { String::new() } else { format!(", {} NOT 200", self.others) };
        format!(
            "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms ({count} answers of {:.0} kB{others})",
            count as f64 / self.seconds,
            self.share(0.5),
            self.share(0.99),
            self.share(1.0),
            self.bytes as f64 / count.max(1) as f64 / 1e3,
        )
    }
}

/// Asks for paths in their order, each once, until all are asked or the time is over.
pub(super) fn ask(
    server: SocketAddr,
    paths: &[String],
    connections: usize,
    longest: Duration,
) -> anyhow::Result<Load> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let work = || -> io::Result<(Vec<f64>, usize, usize)> {
        let mut connection = BufReader::new(connect(server)?);
        let (mut milliseconds, mut others, mut bytes) = (Vec::new(), 0, 0);
        while started.elapsed() < longest {
            let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let asked = Instant::now();
            put(connection.get_mut(), path)?;
            let (status, length) = answer(&mut connection)?;
            milliseconds.push(asked.elapsed().as_secs_f64() * 1e3);
            others += usize::from(status != 200);
            bytes += length;
        }
        Ok((milliseconds, others, bytes))
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..connections).map(|_| scope.spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join().expect("nothing here panics")).collect()
    });
    let mut load =
        Load { seconds: started.elapsed().as_secs_f64(), milliseconds: Vec::new(), others: 0, bytes: 0 };
    for result in results {
        let (milliseconds, others, bytes) = result.context("the server broke off")?;
        load.milliseconds.extend(milliseconds);
        load.others += others;
        load.bytes += bytes;
    }
    load.milliseconds.sort_by(f64::total_cmp);
    Ok(load)
}

/// The body of one answer.
pub(super) fn text(server: SocketAddr, path: &str) -> io::Result<String> {
    let mut connection = BufReader::new(connect(server)?);
    put(connection.get_mut(), path)?;
    let (_, length) = head(&mut connection)?;
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    String::from_utf8(body).map_err(io::Error::other)
}

/// Asks on many connections at once and does not wait for the answers. They end with what is returned.
pub(super) fn wait(server: SocketAddr, path: &str, connections: usize) -> io::Result<Vec<TcpStream>> {
    let asked = (0..connections).map(|_| {
        let mut stream = connect(server)?;
        put(&mut stream, path)?;
        Ok(stream)
    });
    asked.collect()
}

/// How many of these have no answer yet.
pub(super) fn still_waiting(streams: &[TcpStream]) -> usize {
    let is_waiting = |stream: &&TcpStream| {
        let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    streams.iter().filter(is_waiting).count()
}

pub(super) fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) fn put(stream: &mut TcpStream, path: &str) -> io::Result<()> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes())
}

/// Status and length of the body, which is read away.
pub(super) fn answer(connection: &mut BufReader<TcpStream>) -> io::Result<(u16, usize)> {
    let (status, length) = head(connection)?;
    io::copy(&mut connection.take(length as u64), &mut io::sink())?;
    Ok((status, length))
}

fn head(connection: &mut impl io::BufRead) -> io::Result<(u16, usize)> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("`{}` is no answer", line.trim())))?;
    let mut length = None;
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        match line.trim().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some(_) => {}
        }
    }
    let length = length.or((status == 304 || status == 204).then_some(0));
    Ok((status, length.ok_or_else(|| io::Error::other("an answer does not say how long it is"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_answers_are_read() {
        let mut text: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"a:b\"\r\ncontent-length: 12\r\n\r\nrest";
        assert_eq!(head(&mut text).unwrap(), (200, 12));
        assert_eq!(text, b"rest");
        assert!(head(&mut b"nonsense\r\n\r\n".as_slice()).is_err());
    }

    #[test]
    fn shares_are_of_sorted_answers() {
        let load =
            Load { seconds: 2.0, milliseconds: (0..=100).map(f64::from).collect(), others: 0, bytes: 0 };
        assert_eq!((load.share(0.5), load.share(0.99), load.share(1.0)), (50.0, 99.0, 100.0));
        assert!(load.text().starts_with("50/s, p50 50.0 ms"), "{}", load.text());
    }
}
