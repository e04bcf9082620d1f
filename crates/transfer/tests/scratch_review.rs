mod support;
use planner::spec::*;
use planner::*;
use std::time::Instant;
use support::fake::{Fake, Trouble};
use support::image::Image;
use support::{connect, place};
use registry::ErrorKind;

fn spec(pairs: &[(&str, &[String])], regs: &[&str], check: Check) -> Spec {
    let source = |(from, to): &(&str, &[String])| Source {
        place: place(from),
        pinned: None,
        targets: to.iter().map(|to| Target { place: place(to), tag: None }).collect(),
    };
    let mirror = Mirror {
        name: "all".to_owned(), sources: pairs.iter().map(source).collect(), tags: Vec::new(),
        on_change: OnChange::Update, check, referrers: Referrers::All, foreign_layers: ForeignLayers::Skip, platforms: Vec::new(),
    };
    let registry = |name: &&str| (name.parse().unwrap(), planner::spec::Registry {
        endpoint: Endpoint::Host(format!("{name}.example").parse().unwrap()), connection: Default::default() });
    Spec { registries: regs.iter().map(registry).collect(), mirrors: vec![mirror], digest: oci::Digest::sha256(b"spec") }
}

#[tokio::test]
async fn probing_rounds() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    for i in 0..40 { src.hold("app", &format!("v{i}"), &Image::new(format!("l{i}"))); }
    src.trouble("GET referrers", usize::MAX, Trouble::Error(ErrorKind::Permission));
    let spec = spec(&[("src/app", &["x/app".to_owned()])], &["src", "x"], Check::Tags);
    let c = connect(&[&src, &x]);
    let (events, mut heard) = transship_transfer::Events::channel();
    let s = transship_transfer::survey(&spec, &c.capabilities(), &c.reader(), &events).await;
    drop(events);
    let mut rounds = 0;
    while let Ok(e) = heard.try_recv() { if matches!(e, transship_transfer::Event::RoundStarted{..}) { rounds += 1; } }
    println!("PROBE rounds {rounds} referrers {} blocked {}", src.count("GET referrers"), planner::plan(&spec,&c.capabilities(),&s).blocked.len());
}

#[tokio::test]
async fn tagged_referrer() {
    let (src, x) = (Fake::new("src"), Fake::new("x"));
    let image = Image::new("layer");
    src.hold("app", "v1", &image);
    let sig = Image::attached_to("sig", Some(&image.manifest));
    src.hold("app", "sig", &sig);
    src.lists_referrers(vec![sig.manifest.descriptor()]);
    let spec = spec(&[("src/app", &["x/app".to_owned()])], &["src", "x"], Check::Tags);
    let c = connect(&[&src, &x]);
    let s = transship_transfer::survey(&spec, &c.capabilities(), &c.reader(), &transship_transfer::Events::unheard()).await;
    let p = planner::plan(&spec, &c.capabilities(), &s);
    for op in &p.ops { println!("OP {:?} {:?} {:?} tag {:?} after {:?} end {:?}", op.id, op.kind, op.digest.as_ref().map(|d| d.short().to_string()), op.tag, op.after, op.after_end); }
    println!("{}", p.text());
    println!("{:?}", p.check().is_ok());
}

#[test]
fn big() {
    use std::collections::BTreeMap;
    let tags = 5000;
    let src = place("src/app");
    let targets = ["x/app", "y/app", "z/app"];
    let blob = |t: &str| oci::Digest::sha256(t.as_bytes());
    let mut world: BTreeMap<String, oci::Manifest> = BTreeMap::new();
    let mut by_digest: BTreeMap<oci::Digest, oci::Manifest> = BTreeMap::new();
    for i in 0..tags {
        let mut children = vec![];
        for arch in ["amd64", "arm64"] {
            let mut layers = vec![serde_json::json!({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":blob(&format!("base{arch}{}", i/50)),"size":5000000})];
            for l in 0..4 { layers.push(serde_json::json!({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":blob(&format!("l{arch}{i}-{l}")),"size":100000})); }
            let doc = serde_json::json!({"schemaVersion":2,"mediaType":oci::MediaType::OCI_MANIFEST,
              "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":blob(&format!("c{arch}{i}")),"size":3000},"layers":layers});
            let m = oci::Manifest::parse(doc.to_string().into(), None).unwrap();
            children.push(serde_json::to_value(m.descriptor()).unwrap());
            by_digest.insert(m.digest().clone(), m);
        }
        let doc = serde_json::json!({"schemaVersion":2,"mediaType":oci::MediaType::OCI_INDEX,"manifests":children});
        let m = oci::Manifest::parse(doc.to_string().into(), None).unwrap();
        by_digest.insert(m.digest().clone(), m.clone());
        world.insert(format!("v{i}"), m);
    }
    let to: Vec<String> = targets.iter().map(|s| s.to_string()).collect();
    for present in [false, true] { for exists in [false, true] {
    if present && !exists { continue; }
    let spec = spec(&[("src/app", &to)], &["src", "x", "y", "z"], Check::Tags);
    let caps = BTreeMap::new();
    let mut survey = Survey::default();
    for round in 1.. {
        let t = Instant::now();
        let qs = planner::questions(&spec, &caps, &survey);
        println!("BIG present={present} exists={exists} round {round}: {} questions in {:?}", qs.len(), t.elapsed());
        if qs.is_empty() { break; }
        let t = Instant::now();
        for q in qs {
            let at_src = *q.place() == src;
            let has = at_src || present;
            let a = match &q {
                Question::Tags(_) => Answer::Tags(if has { Some(world.keys().map(|t| t.parse().unwrap()).collect()) } else if exists { Some(Default::default()) } else { None }),
                Question::Head(_, r) | Question::Get(_, r) => {
                    let m = match r { oci::ManifestReference::Tag(t) => world.get(t.as_str()), oci::ManifestReference::Digest(d) => by_digest.get(d) }.filter(|_| has).cloned();
                    if matches!(q, Question::Head(..)) { Answer::Head(m.map(|m| m.descriptor())) } else { Answer::Get(m) }
                }
                Question::Blob(..) => Answer::Blob(has),
                Question::Referrers(..) => Answer::Referrers(Some(vec![])),
            };
            survey.record(q, Ok(a));
        }
        println!("   answered in {:?}", t.elapsed());
    }
    let t = Instant::now();
    let p = planner::plan(&spec, &caps, &survey);
    println!("BIG plan: {} ops in {:?}", p.ops.len(), t.elapsed());
    let t = Instant::now(); p.check().unwrap(); println!("BIG check {:?}", t.elapsed());
    let t = Instant::now(); let j = p.to_json(); println!("BIG json {} MB {:?}", j.len()/1_000_000, t.elapsed());
    let t = Instant::now(); Plan::from_json(j.as_bytes()).unwrap(); println!("BIG from_json {:?}", t.elapsed());
    let t = Instant::now(); let x = p.text(); println!("BIG text {} lines {:?}", x.lines().count(), t.elapsed());
    }}
}
