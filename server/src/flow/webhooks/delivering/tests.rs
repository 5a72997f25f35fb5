use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "as a call returns it")]
fn answered(status: u16, retry_after: &str) -> std::result::Result<Answer, OutboundError> {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
    Ok(Answer {
        status,
        headers,
        body: b"{\"password\":\"hunter2\",\"detail\":\"no\"}".to_vec(),
        is_public: false,
    })
}

#[test]
fn r188_pauses_grow_to_three_days_and_no_two_need_be_alike() {
    let pauses: Vec<i64> = (0..9)
        .map(|failures| retry_at(failures, at(0), 127).unwrap().as_second())
        .collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
    let total: i64 = pauses.iter().sum();
    assert!((71..80).contains(&(total / 3600)), "{total}");
    assert_eq!(retry_at(9, at(0), 127), None, "then it is given up");
    assert_eq!(retry_at(1, at(0), 0), Some(at(270)));
    assert_eq!(retry_at(1, at(0), 255), Some(at(330)));
}

#[test]
fn r188_a_receiver_that_is_down_is_called_less_and_less() {
    assert_eq!(rest_after(None, at(0)).as_secs(), 5);
    assert_eq!(rest_after(Some(at(0)), at(400)).as_secs(), 100);
    assert_eq!(rest_after(Some(at(0)), at(1_000_000)).as_secs(), 600);
}

#[test]
fn r188_a_receiver_may_ask_for_a_pause_but_not_for_ever() {
    assert_eq!(asked_wait(&answered(429, "120"), at(0)), Some(at(120)));
    assert_eq!(asked_wait(&answered(503, "4000000"), at(0)), Some(at(86_400)));
    let date = "Thu, 01 Jan 1970 00:10:00 GMT";
    assert_eq!(asked_wait(&answered(503, date), at(0)), Some(at(600)));
    assert_eq!(asked_wait(&answered(503, "soon"), at(0)), None);
    assert_eq!(asked_wait(&answered(500, "120"), at(0)), None);
}

#[test]
fn r188_what_a_private_address_answers_is_not_kept() {
    let attempt = of_answer(at(0), 3, &answered(500, "1"));
    assert_eq!(
        (attempt.status, attempt.answer, attempt.milliseconds),
        (Some(500), None, 3)
    );
    let public = answered(500, "1").map(|answer| Answer {
        is_public: true,
        ..answer
    });
    let kept = of_answer(at(0), 3, &public).answer.unwrap();
    assert!(kept.contains("detail") && !kept.contains("hunter2"), "{kept}");
}
