//! A journal that grows, and one that is broken off.

use super::*;

/// What another one appends between the look at a journal and the lines that are added stays, and
/// so does the end of a writer that was killed in the middle of a letter.
#[test]
fn nothing_that_others_append_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("optuna.log");
    let study = "{\"op_code\":0,\"study_name\":\"gr\u{f6}\u{df}e\"}\n";
    let half = &"{\"op_code\":4,\"study_name\":\"gr\u{f6}".as_bytes()[..30];
    for half in [&b""[..], half] {
        fs::write(&journal, [study.as_bytes(), half].concat()).unwrap();
        let written = Written::settled(&journal, "gr\u{f6}\u{df}e").unwrap();
        // Two of another writer; the first one comes behind the half line.
        let theirs = "{\"op_code\":5}\n{\"op_code\":6}\n";
        let mut other = File::options().append(true).open(&journal).unwrap();
        other.write_all(theirs.as_bytes()).unwrap();
        written.append(&journal, b"{\"op_code\":4}\n").unwrap();
        let text = fs::read_to_string(&journal).unwrap();
        let codes = text.lines().map(|line| {
            let line: Json = serde_json::from_str(line).expect(line);
            line["op_code"].as_u64().unwrap()
        });
        assert_eq!(codes.collect::<Vec<_>>(), [0, 5, 6, 4], "{text}");
    }
}

#[test]
fn seconds_become_times_of_day() {
    assert_eq!(timestamp(0.0), "1970-01-01T00:00:00.000000+00:00");
    assert_eq!(timestamp(93_784.25), "1970-01-02T02:03:04.250000+00:00");
    assert_eq!(timestamp(1e9), "2001-09-09T01:46:40.000000+00:00");
    assert_eq!(timestamp(951_782_400.0), "2000-02-29T00:00:00.000000+00:00");
    assert_eq!(timestamp(1_709_164_799.5), "2024-02-28T23:59:59.500000+00:00");
    assert_eq!(timestamp(1_709_251_200.0), "2024-03-01T00:00:00.000000+00:00");
    assert_eq!(timestamp(1_735_689_599.0), "2024-12-31T23:59:59.000000+00:00");
}
