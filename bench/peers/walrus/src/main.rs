// The crate walrus-rust as the other side of `./dev bench cursor`: one process for one directory, one fsync mode and one
// consistency, told what to do by lines on standard input, each answered by one line.
//
//   walrus-driver none|each|MILLISECONDS strict|PERSIST_EVERY SEED        the directory is in WALRUS_DATA_DIR
//     -> opened SECONDS
//   append THREADS EACH           single appends, each thread its own topic       -> SECONDS
//   batch THREADS LENGTH EACH     batch appends                                   -> SECONDS
//   read COUNT                    read_next, consuming                            -> SECONDS DELIVERED WRONG
//   peek COUNT                    read_next without checkpoint                    -> SECONDS DELIVERED WRONG
//   batch_read BYTES COUNT        batch_read_for_topic, consuming, until COUNT entries or three empty answers
//                                                                                 -> SECONDS DELIVERED WRONG
//   follow RATE COUNT             a writer on schedule, a reader behind it        -> P99_MS DELIVERED REPEATED UNORDERED
//
// Entry i of a topic is payload (61 * thread + i) mod 4,096 of a table made from the seed, with i in its first eight bytes,
// so that count, order and content can be checked. Checking is not timed. WRONG counts entries that were skipped,
// repeated, out of order or altered.
use std::io::{BufRead, Write};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};
use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

const TABLE: usize = 4096;
const CHUNK: u64 = 1000;

/// The generator of bench/harness/numbered_payloads.h.
struct SplitMix(u64);
impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[derive(Clone)]
struct Payloads {
    table: Vec<Vec<u8>>,
}

impl Payloads {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix(seed);
        let table = (0..TABLE)
            .map(|_| {
                let length = 500 + (random.next() % 525) as usize;
                (0..length).map(|_| random.next() as u8).collect()
            })
            .collect();
        Payloads { table }
    }
    fn index(thread: u64, i: u64) -> usize {
        ((61 * thread + i) % TABLE as u64) as usize
    }
    fn stamp(&mut self, thread: u64, i: u64) -> usize {
        let at = Self::index(thread, i);
        self.table[at][..8].copy_from_slice(&i.to_le_bytes());
        at
    }
    /// Is `data` entry `i`?
    fn is(&self, thread: u64, i: u64, data: &[u8]) -> bool {
        let expected = &self.table[Self::index(thread, i)];
        data.len() == expected.len() && data[..8] == i.to_le_bytes() && data[8..] == expected[8..]
    }
    fn number(data: &[u8]) -> u64 {
        data.get(..8).map_or(u64::MAX, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
    }
}

fn topic(thread: u64) -> String {
    format!("t{thread}")
}

/// Seconds until the last of `threads` is done with `work`; they start together.
fn timed<F: Fn(u64, &mut Payloads) + Sync>(threads: u64, payloads: &Payloads, work: F) -> f64 {
    let start = Barrier::new(threads as usize + 1);
    thread::scope(|scope| {
        let mut running = Vec::new();
        for t in 0..threads {
            let mut own = payloads.clone();
            let (start, work) = (&start, &work);
            running.push(scope.spawn(move || {
                start.wait();
                work(t, &mut own);
            }));
        }
        start.wait();
        let begin = Instant::now();
        for one in running {
            one.join().unwrap();
        }
        begin.elapsed().as_secs_f64()
    })
}

fn append(walrus: &Walrus, payloads: &Payloads, threads: u64, each: u64) -> f64 {
    timed(threads, payloads, |t, own| {
        let name = topic(t);
        for i in 0..each {
            let at = own.stamp(t, i);
            walrus.append_for_topic(&name, &own.table[at]).unwrap();
        }
    })
}

fn batch(walrus: &Walrus, payloads: &Payloads, threads: u64, length: u64, each: u64) -> f64 {
    timed(threads, payloads, |t, own| {
        let name = topic(t);
        for b in 0..each {
            let places: Vec<usize> = (0..length).map(|k| own.stamp(t, b * length + k)).collect();
            let slices: Vec<&[u8]> = places.iter().map(|&at| own.table[at].as_slice()).collect();
            walrus.batch_append_for_topic(&name, &slices).unwrap();
        }
    })
}

struct Reading {
    seconds: f64,
    delivered: u64,
    wrong: u64,
}

/// Calls `next` until `count` entries came or it gave nothing three times in a row.
fn read<F: FnMut() -> Vec<Vec<u8>>>(payloads: &Payloads, count: u64, peeking: bool, mut next: F) -> Reading {
    let mut reading = Reading { seconds: 0.0, delivered: 0, wrong: 0 };
    let (mut expected, mut empty) = (0u64, 0);
    while reading.delivered < count && empty < 3 {
        let begin = Instant::now();
        let entries = next();
        reading.seconds += begin.elapsed().as_secs_f64();
        empty = if entries.is_empty() { empty + 1 } else { 0 };
        for entry in &entries {
            if !payloads.is(0, expected, entry) {
                reading.wrong += 1;
            }
            if !peeking {
                expected = Payloads::number(entry).wrapping_add(1);
            }
        }
        reading.delivered += entries.len() as u64;
    }
    reading
}

fn read_singles(walrus: &Walrus, payloads: &Payloads, count: u64, checkpoint: bool) -> Reading {
    let name = topic(0);
    let mut left = count;
    read(payloads, count, !checkpoint, || {
        let mut entries = Vec::with_capacity(CHUNK as usize);
        while left > 0 && entries.len() < CHUNK as usize {
            match walrus.read_next(&name, checkpoint).unwrap() {
                Some(entry) => entries.push(entry.data),
                None => break,
            }
            left -= 1;
        }
        entries
    })
}

fn read_batches(walrus: &Walrus, payloads: &Payloads, bytes: usize, count: u64) -> Reading {
    let name = topic(0);
    read(payloads, count, false, || {
        let entries = walrus.batch_read_for_topic(&name, bytes, true).unwrap();
        entries.into_iter().map(|entry| entry.data).collect()
    })
}

/// 99 % of the entries came at most this long after their place in the schedule, in ms; and what came how.
fn follow(walrus: &Arc<Walrus>, payloads: &Payloads, rate: u64, count: u64) -> String {
    let begin = Instant::now();
    let gap = Duration::from_nanos(1_000_000_000 / rate);
    let writer = {
        let (walrus, mut own) = (Arc::clone(walrus), payloads.clone());
        thread::spawn(move || {
            for i in 0..count {
                let due = gap * i as u32;
                while begin.elapsed() < due {
                    thread::sleep(Duration::from_micros(50));
                }
                let at = own.stamp(0, i);
                walrus.append_for_topic("t0", &own.table[at]).unwrap();
            }
        })
    };
    let (mut seen, mut lags) = (vec![false; count as usize], Vec::with_capacity(count as usize));
    let (mut delivered, mut repeated, mut unordered, mut last) = (0u64, 0u64, 0u64, None);
    let mut quiet = Instant::now();
    while delivered < count && quiet.elapsed() < Duration::from_secs(2) {
        let entries = walrus.batch_read_for_topic("t0", 1 << 20, true).unwrap();
        if entries.is_empty() {
            thread::sleep(Duration::from_micros(100));
            continue;
        }
        let now = begin.elapsed();
        quiet = Instant::now();
        for entry in entries {
            let number = Payloads::number(&entry.data);
            delivered += 1;
            if number < count {
                repeated += u64::from(seen[number as usize]);
                seen[number as usize] = true;
                lags.push(now.saturating_sub(gap * number as u32).as_secs_f64() * 1e3);
            }
            unordered += u64::from(last.is_some_and(|last| number < last));
            last = Some(number);
        }
    }
    writer.join().unwrap();
    lags.sort_by(f64::total_cmp);
    let p99 = lags.get(lags.len() * 99 / 100).copied().unwrap_or(f64::INFINITY);
    format!("{p99} {delivered} {repeated} {unordered}")
}

fn main() {
    std::env::set_var("WALRUS_QUIET", "1");
    let arguments: Vec<String> = std::env::args().collect();
    let schedule = match arguments[1].as_str() {
        "none" => FsyncSchedule::NoFsync,
        "each" => FsyncSchedule::SyncEach,
        ms => FsyncSchedule::Milliseconds(ms.parse().unwrap()),
    };
    let consistency = match arguments[2].as_str() {
        "strict" => ReadConsistency::StrictlyAtOnce,
        n => ReadConsistency::AtLeastOnce { persist_every: n.parse().unwrap() },
    };
    let payloads = Payloads::new(arguments[3].parse().unwrap());
    let begin = Instant::now();
    let walrus = Arc::new(Walrus::with_consistency_and_schedule(consistency, schedule).unwrap());
    println!("opened {}", begin.elapsed().as_secs_f64());
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| words[i].parse::<u64>().unwrap();
        let told = |r: Reading| format!("{} {} {}", r.seconds, r.delivered, r.wrong);
        let answer = match words[0] {
            "append" => append(&walrus, &payloads, number(1), number(2)).to_string(),
            "batch" => batch(&walrus, &payloads, number(1), number(2), number(3)).to_string(),
            "read" => told(read_singles(&walrus, &payloads, number(1), true)),
            "peek" => told(read_singles(&walrus, &payloads, number(1), false)),
            "batch_read" => told(read_batches(&walrus, &payloads, number(1) as usize, number(2))),
            "follow" => follow(&walrus, &payloads, number(1), number(2)),
            other => panic!("unknown command {other}"),
        };
        println!("{answer}");
        std::io::stdout().flush().unwrap();
    }
}
