//! Pages of groups that the organization keeps by hand.

use axum::http::StatusCode;

use super::{act, id_of, sign_in, world};
use crate::app::on_each_engine;

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one visit to the console, told in its order"
)]
async fn a_group_is_made_filled_changed_and_deleted_in_the_console() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let page = adam.get("/console/acme/groups").await;
        assert!(page.body.contains("No groups of your own yet"), "{}", page.body);
        let made = [
            ("name", "Builders"),
            ("description", "who <build>"),
            ("role", "admin"),
            ("workspace", "main"),
        ];
        let page = act(&mut adam, "/console/acme/groups/new", &made).await;
        let path = page.location().unwrap();
        let here = path.split('?').next().unwrap().to_owned();
        let page = act(&mut adam, "/console/acme/groups/new", &[("name", "builders")]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            page.body
                .contains("Another group of the organization has this name."),
            "{}",
            page.body
        );
        let activity = adam.get("/console/acme/activity?show=changes").await.body;
        assert!(
            activity.contains("Group created") && activity.contains("Builders · "),
            "{activity}"
        );
        let page = adam.get(&path).await;
        assert!(
            page.body.contains("Put people in now") && page.body.contains("Nobody is in this group"),
            "{}",
            page.body
        );
        assert!(!page.body.contains("<build>"), "{}", page.body);
        let mia = id_of(&app, "mia@acme.example").await.to_string();
        let found = adam.get(&format!("{here}?q=MI")).await;
        assert!(
            found.body.contains(&mia) && found.body.contains("Put in"),
            "{}",
            found.body
        );
        let page = act(&mut adam, &here, &[("do", "add"), ("account", &mia)]).await;
        assert_eq!(
            page.location(),
            Some(format!("{here}?done=group_joined")),
            "{}",
            page.body
        );
        let page = adam.get(&here).await;
        assert!(page.body.contains("from the group Builders"), "{}", page.body);
        assert!(
            !adam.get(&format!("{here}?q=MI")).await.body.contains("Put in"),
            "she is in it"
        );
        let person = adam.get(&format!("/console/acme/users/{mia}")).await;
        assert!(
            person.body.contains("from the group Builders") && person.body.contains(&here),
            "{}",
            person.body
        );
        let check = [("do", "check"), ("name", "Builders"), ("workspace", "main")];
        let page = act(&mut adam, &here, &check).await;
        assert!(
            page.body.contains("Access would change for 1 of 1 members."),
            "{}",
            page.body
        );
        let renamed = [
            ("do", "check"),
            ("name", "Masons"),
            ("role", "admin"),
            ("workspace", "main"),
        ];
        let page = act(&mut adam, &here, &renamed).await;
        assert!(
            page.body.contains("Access would change for 0 of 1 members."),
            "{}",
            page.body
        );
        // An admin neither fills nor makes a group that leads to owners.
        let owner = [("do", "save"), ("name", "Builders"), ("role", "owner")];
        let page = act(&mut adam, &here, &owner).await;
        assert!(page.body.contains("You may not do this."), "{}", page.body);
        let save = [("do", "save"), ("name", "Masons"), ("workspace", "main")];
        let page = act(&mut adam, &here, &save).await;
        assert_eq!(
            page.location(),
            Some(format!("{here}?done=group_saved")),
            "{}",
            page.body
        );
        let page = adam.get(&here).await;
        assert!(
            page.body.contains("Masons") && page.body.contains("/users/runs/"),
            "{}",
            page.body
        );
        let page = act(&mut adam, &here, &[("do", "delete")]).await;
        let run = page.location().unwrap();
        assert!(run.starts_with("/console/acme/users/runs/"), "{run}");
        let page = adam.get(&run).await;
        assert!(page.body.contains("Deleting a group"), "{}", page.body);
        let id = run.rsplit('/').next().unwrap();
        provost::flow::console::bulk::work(&app.app, &serde_json::json!({ "run": id }))
            .await
            .unwrap();
        let person = adam.get(&format!("/console/acme/users/{mia}")).await;
        assert!(!person.body.contains("from the group"), "{}", person.body);
        assert_eq!(adam.get(&here).await.status, StatusCode::NOT_FOUND);
        let mut mia = sign_in(&app, "mia@acme.example").await;
        assert_eq!(
            mia.get("/console/acme/groups/new").await.status,
            StatusCode::FORBIDDEN
        );
    })
    .await;
}
