//! temporary
use muxbed::fidelity::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let dir = std::path::Path::new(&path).parent().unwrap().to_owned();
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut n, mut ok, mut racy) = (0, 0, 0);
    let mut skip = std::collections::BTreeMap::<String, u32>::new();
    match Recorded::parse(&text).unwrap() {
        Recorded::Observations(list) => {
            for o in list {
                n += 1;
                let bytes = std::fs::read(dir.join(&o.capture)).unwrap_or_default();
                let c = compare(&o, &bytes);
                if let Some(r) = &c.predicted {
                    racy += u32::from(r.racy);
                    if r.racy
                        && !(o.server.contains("eof")
                            || o.server.contains("http1")
                            || o.server.contains("cmux-settings")
                                && (o.server.contains("h2c") || o.server.contains("tonic")))
                    {
                        println!("RACY? {} {}", c.client, c.server);
                    }
                    if r.may.len() > 7 {
                        println!("FULL {} {}", c.client, c.server);
                    }
                }
                if c.agrees() {
                    ok += 1
                } else if let Some(s) = c.skipped {
                    *skip.entry(s).or_default() += 1
                } else {
                    println!("{} {} {:#?}", c.client, c.server, c.differs)
                }
            }
        }
        Recorded::Repeats(list) => {
            for o in list {
                n += 1;
                let c = compare_repeats(&o);
                if c.agrees() {
                    ok += 1
                } else if let Some(s) = c.skipped {
                    *skip.entry(s).or_default() += 1
                } else {
                    println!("{} {} {:#?}", c.client, c.server, c.differs)
                }
            }
        }
    }
    println!("{n} observations, {ok} agree, {racy} racy, skipped {skip:#?}");
}
