//! The samples do what samples/README.md states.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use assert_cmd::Command;
use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

/// The program in a directory of its own, as a newcomer starts it.
fn cardcancel(home: &TempDir) -> Command {
    let mut command = Command::cargo_bin("cardcancel").unwrap();
    command.current_dir(home).env_clear().env("HOME", home.path());
    command
}

fn sample(name: &str) -> String {
    format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What `check` finds in a sample, and its exit code.
fn checked(name: &str) -> String {
    let home = TempDir::new().unwrap();
    let output = cardcancel(&home).args(["check", "--json", &sample(name)]).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut lines = Vec::new();
    for bad in found["bad_rows"].as_array().unwrap() {
        let text = |key: &str| bad[key].as_str().unwrap();
        lines.push(format!("row {}: {}: {}", bad["row"], text("error_code"), text("message")));
    }
    for key in ["rows", "to_send", "duplicates", "invalid"] {
        lines.push(format!("{key} {}", found[key]));
    }
    lines.push(format!("exit code {}", output.status.code().unwrap()));
    lines.join("\n")
}

/// The summary of a rehearsal against a simulator without faults.
fn rehearsed(home: &TempDir, args: &[&str]) -> Value {
    let configuration = home.path().join("perfect.toml");
    fs::write(&configuration, "[rehearsal]\nlatency = '1ms'\n").unwrap();
    let output = cardcancel(home)
        .args(args)
        .args(["--rehearse", "--json", "--quiet", "--rate", "1000/s", "--config"])
        .arg(&configuration)
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["exit_code"], output.status.code().unwrap());
    summary
}

/// The counts that are not zero.
fn counts(summary: &Value) -> String {
    let counts = summary["counts"].as_object().unwrap().iter();
    let counts = counts.filter(|(_, rows)| **rows != 0);
    counts.map(|(status, rows)| format!("{status} {rows}")).collect::<Vec<_>>().join(", ")
}

fn lines(path: impl AsRef<Path>) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_orders_have_two_bad_rows_and_a_duplicate() {
    assert_snapshot!(checked("orders.csv"), @r#"
    row 60: INVALID_ADMIN_NUMBER: the admin number "12x409" is not a number; it must be a whole number from 0 to 9223372036854775807
    row 80: INVALID_SEQUENCE_NUMBER: the sequence number is missing
    rows 99
    to_send 96
    duplicates 1
    invalid 2
    exit code 1
    "#);
}

#[test]
fn the_spreadsheet_is_read_as_it_is() {
    assert_snapshot!(checked("spreadsheet.csv"), @r#"
    rows 8
    to_send 8
    duplicates 0
    invalid 0
    exit code 0
    "#);
    let bytes = fs::read(sample("spreadsheet.csv")).unwrap();
    assert!(bytes.starts_with(b"\xef\xbb\xbf"), "the byte order mark is gone");
    assert!(bytes.ends_with(b"\r\n"), "the CRLF are gone");
}

#[test]
fn the_bad_rows_are_each_explained_and_no_card_number_is_repeated() {
    let said = checked("bad-rows.csv");
    assert!(!said.contains("4111"));
    assert_snapshot!(said, @r#"
    row 2: WRONG_FIELD_COUNT: 1 field where the header has 3; the line: "129602"
    row 3: WRONG_FIELD_COUNT: 4 fields where the header has 3; the line: "129603,1,one field,too many"
    row 4: INVALID_ADMIN_NUMBER: the admin number "-129604" has a sign; it must be a whole number from 0 to 9223372036854775807
    row 5: INVALID_ADMIN_NUMBER: the admin number "129605.0" has a decimal point (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807
    row 6: INVALID_ADMIN_NUMBER: the admin number "1.29606E+05" is in scientific notation (a spreadsheet may have changed it); it must be a whole number from 0 to 9223372036854775807
    row 7: INVALID_ADMIN_NUMBER: the admin number, with 19 digits, is too large; it must be a whole number from 0 to 9223372036854775807
    row 9: INVALID_SEQUENCE_NUMBER: the sequence number "2147483648" is too large; it must be a whole number from 0 to 2147483647
    row 10: INVALID_ADMIN_NUMBER: the admin number is missing
    row 11: INVALID_SEQUENCE_NUMBER: the sequence number is missing
    row 12: INVALID_ADMIN_NUMBER: the admin number "129,609" has thousands separators; it must be a whole number from 0 to 9223372036854775807
    row 13: INVALID_SEQUENCE_NUMBER: the sequence number "one" is not a number; it must be a whole number from 0 to 2147483647
    row 15: CARD_NUMBER: field "Note" looks like a card number; the line: "129611,1,[card number removed]"
    row 16: CARD_NUMBER: field "AdminNumber" looks like a card number; the line: "[card number removed],1,the same test number in place of an admin number"
    row 18: MALFORMED_ROW: field "AdminNumber" continues after its closing quote; the line: ""12961"3,1,digits after a closing quote"
    rows 18
    to_send 3
    duplicates 1
    invalid 14
    exit code 1
    "#);
}

#[test]
fn a_rehearsal_of_the_orders_has_a_result_for_each() {
    let home = TempDir::new().unwrap();
    let summary = rehearsed(&home, &["run", &sample("orders.csv")]);
    assert_snapshot!(counts(&summary), @"cancelled 96, duplicate 1, invalid 2");
    assert_eq!(summary["exit_code"], 1);
    assert_eq!(lines(home.path().join("orders.rehearsal.results.csv")).len(), 100);
}

#[test]
fn the_columns_of_the_spreadsheet_come_back_untouched() {
    let home = TempDir::new().unwrap();
    let summary = rehearsed(&home, &["run", &sample("spreadsheet.csv")]);
    assert_eq!((counts(&summary), &summary["exit_code"]), ("cancelled 8".into(), &Value::from(0)));
    let results = lines(home.path().join("spreadsheet.rehearsal.results.csv"));
    let results: Vec<&str> =
        results.iter().filter_map(|line| line.split(";cancelled;").next()).collect();
    let text = results.join("\n");
    // The byte order mark makes spreadsheets read the text as UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap();
    assert_snapshot!(text, @r#"
    Branch;Admin Number;Seq;Reason;Requested by;row;status;error_code;message;http_status;attempts;doubt;first_sent_at;ended_at
    Zürich;129501;1;duplicate order;ops;1
    Genève;514102;2;"lost in transit; customer called twice";ops;2
    München;0175955;1;account closed;ops;3
    Köln;198712;1;lost in transit;ops;4
    Málaga;203344;3;address changed;ops;5
    ;340077;1;duplicate order;ops;6
    Łódź;351190;1;account closed;ops;7
    Łódź;351190;2;account closed;ops;8
    "#);
}

#[test]
fn the_results_of_the_run_before_are_run_again_where_they_did_not_end() {
    let home = TempDir::new().unwrap();
    let summary = rehearsed(&home, &["rerun", &sample("last-night.results.csv")]);
    assert_snapshot!(counts(&summary), @"cancelled 21, rejected 3");
    assert_eq!(summary["exit_code"], 1);
    let before = lines(sample("last-night.results.csv"));
    let after = lines(home.path().join("last-night.rehearsal.rerun-1.results.csv"));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        let ended =
            [",failed,", ",in_doubt,", ",not_sent,"].iter().all(|not| !before.contains(not));
        assert_eq!(ended, before == after, "{before}\n{after}");
    }
}

#[test]
fn the_results_of_the_run_before_can_be_run_again_in_part() {
    let home = TempDir::new().unwrap();
    let again = ["rerun", &sample("last-night.results.csv"), "--only", "in_doubt,CUT_OFF"];
    let summary = rehearsed(&home, &again);
    assert_snapshot!(counts(&summary), @"cancelled 19, failed 2, rejected 3");
}

#[test]
fn the_configuration_rehearses_the_orders() {
    let home = TempDir::new().unwrap();
    // A copy, because a checkout that other users may write is refused.
    let configuration = home.path().join("cardcancel.toml");
    fs::write(&configuration, fs::read(sample("cardcancel.toml")).unwrap()).unwrap();
    let output = cardcancel(&home)
        .args(["run", &sample("orders.csv"), "--rehearse", "--json"])
        .args([
            "--config",
            configuration.to_str().unwrap(),
            "--profile",
            "production",
            "--allow-partial",
        ])
        .env("CARDCANCEL_CUT_OFF", later_today_or_tomorrow())
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["rows"], 99);
    assert_eq!(summary["state"], "ended");
}

/// A cut-off twelve hours away, whatever the time of day.
fn later_today_or_tomorrow() -> String {
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(12);
    format!("{}[UTC]", later.strftime("%H:%M"))
}

/// What another program reports about the samples; `None` if it is not installed.
fn judged(test: &str, program: &str, args: &[&str]) -> Option<std::process::Output> {
    let output = std::process::Command::new(program).args(args).output();
    if output.is_err() {
        eprintln!("{test}: not run, there is no {program}");
    }
    output.ok()
}

#[track_caller]
fn content(output: std::process::Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_lines_that_are_shown_are_understood() {
    for name in ["cardcancel.service", "crontab", "cronjob.yaml"] {
        let text = fs::read_to_string(sample(name)).unwrap();
        let line = text.lines().find(|line| line.contains("cardcancel run ")).unwrap();
        let (_, flags) = line.split_once(".csv\"").unwrap();
        let flags = flags.replace(['\'', '"'], "");
        assert!(flags.contains(" --start-window 00:55-03:30[America/New_York] "), "{name}");
        let flags = flags.split_whitespace();
        let flags = flags.take_while(|word| *word != "2>&1");
        let words = ["cardcancel", "run", "orders.csv"].into_iter().chain(flags);
        cardcancel::cli::parse(words).unwrap();
    }
    let text = fs::read_to_string(sample("cardcancel-worker.service")).unwrap();
    let (_, line) = text.split_once("exec cardcancel worker ").unwrap();
    let (flags, _) = line.split_once('\'').unwrap();
    cardcancel::cli::parse(["cardcancel", "worker"].into_iter().chain(flags.split(' '))).unwrap();
    let text = fs::read_to_string(sample("cardcancel-verify.service")).unwrap();
    let (_, line) = text.split_once("exec cardcancel verify ").unwrap();
    let (flags, _) = line.split_once('\'').unwrap();
    cardcancel::cli::parse(["cardcancel", "verify"].into_iter().chain(flags.split(' '))).unwrap();
}

#[test]
fn systemd_accepts_the_units() {
    let (service, timer) = (sample("cardcancel.service"), sample("cardcancel.timer"));
    let work = sample("cardcancel-worker.service");
    let [verify, daily] = ["cardcancel-verify.service", "cardcancel-verify.timer"].map(sample);
    let alert = sample("cardcancel-alert@.service");
    let args = ["verify", &service, &timer, &work, &verify, &daily, &alert];
    let Some(output) = judged("systemd_accepts_the_units", "systemd-analyze", &args) else {
        return;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn systemd_finds_the_services_locked_down() {
    for name in ["cardcancel.service", "cardcancel-worker.service", "cardcancel-verify.service"] {
        // In tenths: 1.5 of 10, where 10 is a service without any protection.
        let args = ["security", "--offline=yes", "--threshold=15", &sample(name)];
        let test = "systemd_finds_the_services_locked_down";
        judged(test, "systemd-analyze", &args).map(content);
    }
}

#[test]
fn logrotate_understands_its_file() {
    // A unit with users that this machine does not have cannot be verified.
    let text = fs::read_to_string(sample("logrotate")).unwrap();
    let text = text.replace("su cardcancel cardcancel", "").replace(" cardcancel cardcancel", "");
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::write(copy.path(), text).unwrap();
    let args = ["-d", "-s", "/dev/null", copy.path().to_str().unwrap()];
    judged("logrotate_understands_its_file", "logrotate", &args).map(content);
}

/// What a file in YAML holds; `None` if that cannot be found out here.
fn yaml(test: &str, name: &str) -> Option<Value> {
    let read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = judged(test, "python3", &["-c", read, &sample(name)])?;
    if contains(&output.stderr, "No module named 'yaml'") {
        eprintln!("{test}: not run, python3 has no yaml");
        return None;
    }
    Some(serde_json::from_str(&content(output)).unwrap())
}

#[test]
fn the_cron_job_never_runs_twice_and_keeps_its_ledger() {
    let test = "the_cron_job_never_runs_twice_and_keeps_its_ledger";
    let Some(job) = yaml(test, "cronjob.yaml") else { return };
    assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    let kept = &pod["containers"][0]["volumeMounts"][0];
    assert_eq!((&kept["name"], &pod["volumes"][0]["name"]), (&"state".into(), &"state".into()));
    let ledger = package_configuration()["ledger"].as_str().unwrap().to_owned();
    assert!(ledger.starts_with(kept["mountPath"].as_str().unwrap()));
}

#[test]
fn a_drained_node_fails_no_job_and_a_rerun_is_the_same_pod_as_the_night() {
    let test = "a_drained_node_fails_no_job_and_a_rerun_is_the_same_pod_as_the_night";
    let Some(mut night) = yaml(test, "cronjob.yaml") else { return };
    let Some(mut rerun) = yaml(test, "rerun-job.yaml") else { return };
    let (night, rerun) = (&mut night["spec"]["jobTemplate"]["spec"], &mut rerun["spec"]);
    assert_eq!(night["podFailurePolicy"], rerun["podFailurePolicy"]);
    let first = &night["podFailurePolicy"]["rules"][0];
    assert_eq!(first["action"], "Ignore");
    assert_eq!(first["onPodConditions"][0]["type"], "DisruptionTarget");
    let [night, rerun] = [night, rerun].map(|job| &mut job["template"]["spec"]);
    let commands = [&mut *night, &mut *rerun].map(|pod| pod["containers"][0]["command"].take());
    assert!(commands[1][2].as_str().unwrap().contains("cardcancel results --open"));
    // The name of the job, for the list of what is open.
    rerun["containers"][0]["env"].as_array_mut().unwrap().remove(0);
    assert_eq!(night, rerun);
}

/// The configuration that the Debian package installs.
fn package_configuration() -> toml::Table {
    fs::read_to_string(sample("debian/cardcancel.toml")).unwrap().parse().unwrap()
}

#[test]
fn the_package_configures_what_its_units_need_and_no_address() {
    let home = TempDir::new().unwrap();
    let configuration = home.path().join("cardcancel.toml");
    fs::write(&configuration, fs::read(sample("debian/cardcancel.toml")).unwrap()).unwrap();
    let refused = |flags: &[&str]| {
        let output = cardcancel(&home)
            .args(["run", &sample("orders.csv"), "--profile", "production", "--yes", "--config"])
            .arg(&configuration)
            .args(flags)
            .env("CARDCANCEL_BEARER_TOKEN", "token")
            .assert()
            .code(2);
        String::from_utf8(output.get_output().stderr.clone()).unwrap()
    };
    let missing = refused(&[]);
    assert!(missing.contains("set --url") && missing.contains("set --external-ip"), "{missing}");
    let units = ["cardcancel", "cardcancel-worker", "cardcancel-verify"];
    for unit in units.map(|unit| format!("{unit}.service")) {
        let text = fs::read_to_string(sample(&unit)).unwrap();
        assert!(!text.contains("CARDCANCEL_LEDGER="), "{unit}: it is in the configuration");
        assert!(text.contains("--config /etc/cardcancel/cardcancel.toml"), "{unit}");
    }
}

#[test]
fn the_orders_of_the_night_are_fetched_whole_or_not_at_all() {
    let home = TempDir::new().unwrap();
    let (there, here) = (home.path().join("there"), home.path().join("here"));
    fs::create_dir(&there).unwrap();
    fs::create_dir(&here).unwrap();
    // Takes the place of sftp: copies, and completes the file after it was asked for once.
    let sftp = home.path().join("sftp");
    let script = "#!/bin/sh\nset -e\nshift 2\nfile=${1#host:}\ncp \"$file\" .\n\
                  [ \"$(wc -l <\"$file\")\" -ne 2 ] || echo 3,1 >>\"$file\"\n";
    fs::write(&sftp, script).unwrap();
    fs::set_permissions(&sftp, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let today = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let orders = format!("orders-{today}.csv");
    let digest = cardcancel::hash::Digest::new("admin,seq\n1,1\n3,1\n");
    fs::write(there.join(&orders), "admin,seq\n1,1\n").unwrap();
    fs::write(there.join(format!("{orders}.sha256")), format!("{digest}  {orders}\n")).unwrap();
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
    let fetch = || {
        Command::new(sample("fetch-orders"))
            .current_dir(&here)
            .env("PATH", &path)
            .env("TZ", "UTC")
            .env("ORDERS_WAIT", "0")
            .env("ORDERS_FROM", format!("host:{}", there.display()))
            .assert()
            .success()
    };
    let waited = String::from_utf8(fetch().get_output().stderr.clone()).unwrap();
    assert!(waited.contains("is not complete"), "{waited}");
    let mut names: Vec<String> = fs::read_dir(&here)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [orders.clone(), format!("{orders}.sha256")]);
    assert_eq!(fs::read_to_string(here.join(&orders)).unwrap(), "admin,seq\n1,1\n3,1\n");
    // Started again, it leaves what is there.
    fs::remove_dir_all(&there).unwrap();
    fetch();
}

#[test]
fn sudo_understands_who_may_work_as_the_service() {
    let test = "sudo_understands_who_may_work_as_the_service";
    judged(test, "visudo", &["-c", "-f", &sample("debian/sudoers")]).map(content);
}

fn contains(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

#[test]
fn python_understands_the_airflow_task() {
    let read = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')";
    let args = ["-c", read, &sample("airflow_dag.py")];
    judged("python_understands_the_airflow_task", "python3", &args).map(content);
}

/// A seal of a rehearsal, as the ledger has it, and the rehearsal's folder.
fn sealed() -> (TempDir, Vec<u8>) {
    let home = TempDir::new().unwrap();
    rehearsed(&home, &["run", &sample("orders.csv"), "-o", "out.csv"]);
    let args = ["export", "--since", "2020-01-01", "--rehearse", "-o", "audit"];
    cardcancel(&home).args(args).assert().success();
    let seal = fs::read(home.path().join("audit/data/seals/000001.seal")).unwrap();
    (home, seal)
}

#[test]
fn a_witness_on_another_machine_keeps_lines_that_verify_reads() {
    let (home, seal) = sealed();
    let witness = |seal: &[u8]| {
        let mut witness = Command::new("sh");
        witness.arg(sample("audit/witness-on-another-machine")).env("CARDCANCEL_SEALS", "seals");
        witness.current_dir(&home).write_stdin(seal).output().unwrap()
    };
    let answer = content(witness(&seal));
    assert_eq!(fs::read_to_string(home.path().join("seals")).unwrap(), answer);
    let args = ["verify", "audit", "--witness", "seals", "--require", "witnessed"];
    cardcancel(&home).args(args).assert().success();
    let other = String::from_utf8(seal).unwrap().replace("number 1\n", "number 1\n\n");
    assert!(content(witness(other.as_bytes())) != answer);
    cardcancel(&home).args(args).assert().code(1);
    assert!(!witness(b"not a seal\n").status.success());
}

#[test]
fn a_time_stamp_of_a_seal_can_be_verified() {
    let test = "a_time_stamp_of_a_seal_can_be_verified";
    let (home, seal) = sealed();
    for program in ["curl", "openssl"] {
        if judged(test, program, &["--version"]).is_none() {
            return;
        }
    }
    let openssl = |args: &str| {
        let mut openssl = std::process::Command::new("openssl");
        content(openssl.args(args.split(' ')).current_dir(&home).output().unwrap())
    };
    let settings = "[tsa]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = key.pem\n\
                    signer_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\n";
    fs::write(home.path().join("tsa.cnf"), settings).unwrap();
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out tsa.pem -days 2 -subj /CN=tsa \
         -addext extendedKeyUsage=critical,timeStamping",
    );
    let authority = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tsr", authority.local_addr().unwrap());
    let stamped = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = authority.accept().unwrap();
            fs::write(home.path().join("query"), posted(&mut stream)).unwrap();
            openssl("ts -reply -config tsa.cnf -section tsa -queryfile query -out reply");
            let reply = fs::read(home.path().join("reply")).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
            stream.write_all(&[head.as_bytes(), &reply].concat()).unwrap();
        });
        let mut stamp = Command::new("sh");
        stamp.args([&sample("audit/timestamp-rfc3161"), &url]);
        stamp.write_stdin(seal).output().unwrap()
    });
    assert!(stamped.status.success(), "{stamped:?}");
    fs::write(home.path().join("receipt"), stamped.stdout).unwrap();
    let verify = "ts -verify -data audit/data/seals/000001.seal -in receipt -CAfile tsa.pem";
    openssl(verify);
    // An authority that is away, or answers something else, gives no receipt.
    drop(authority);
    let mut stamp = Command::new("sh");
    stamp.args([&sample("audit/timestamp-rfc3161"), &url]).write_stdin("seal");
    let refused = stamp.output().unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
}

/// The body of a request.
fn posted(stream: &mut std::net::TcpStream) -> Vec<u8> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body
}

#[test]
fn shells_understand_the_scripts_of_the_debian_package() {
    let scripts = [
        ("sh", "debian/postinst"),
        ("sh", "debian/postrm"),
        ("bash", "debian/build"),
        ("sh", "cardcancel-as-service"),
    ];
    for (shell, script) in scripts {
        let args = ["-n", &sample(script)];
        let test = "shells_understand_the_scripts_of_the_debian_package";
        judged(test, shell, &args).map(content);
    }
}
