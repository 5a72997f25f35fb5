//! Mail domains that anybody can get an address in. No organization may have them (R-114).

/// The best-known providers; subdomains count too. Sorted, for binary search.
const PUBLIC: &[&str] = &[
    "126.com",
    "139.com",
    "163.com",
    "aim.com",
    "alice.it",
    "aol.com",
    "arcor.de",
    "att.net",
    "bellsouth.net",
    "bigpond.com",
    "bk.ru",
    "bluewin.ch",
    "bol.com.br",
    "btinternet.com",
    "charter.net",
    "comcast.net",
    "cox.net",
    "disroot.org",
    "duck.com",
    "earthlink.net",
    "email.com",
    "fastmail.com",
    "fastmail.fm",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.es",
    "hotmail.fr",
    "hotmail.it",
    "hushmail.com",
    "icloud.com",
    "inbox.com",
    "inbox.ru",
    "juno.com",
    "laposte.net",
    "libero.it",
    "list.ru",
    "live.com",
    "live.de",
    "live.fr",
    "live.nl",
    "mac.com",
    "mail.com",
    "mail.de",
    "mail.ru",
    "mailbox.org",
    "mailfence.com",
    "me.com",
    "msn.com",
    "naver.com",
    "o2.pl",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "outlook.es",
    "outlook.fr",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.ch",
    "protonmail.com",
    "qq.com",
    "rambler.ru",
    "rediffmail.com",
    "riseup.net",
    "rocketmail.com",
    "runbox.com",
    "sbcglobal.net",
    "seznam.cz",
    "sfr.fr",
    "sina.com",
    "sky.com",
    "sohu.com",
    "startmail.com",
    "t-online.de",
    "telenet.be",
    "terra.com.br",
    "tiscali.it",
    "tuta.com",
    "tuta.io",
    "tutanota.com",
    "tutanota.de",
    "uol.com.br",
    "verizon.net",
    "virgilio.it",
    "virginmedia.com",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "ya.ru",
    "yahoo.ca",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.com.br",
    "yahoo.de",
    "yahoo.es",
    "yahoo.fr",
    "yahoo.it",
    "yandex.com",
    "yandex.ru",
    "ymail.com",
    "zoho.com",
];

/// Tells whether a domain, in lower case, belongs to a public mail provider.
pub fn is_public_mail_domain(domain: &str) -> bool {
    let mut rest = domain;
    loop {
        if PUBLIC.binary_search(&rest).is_ok() {
            return true;
        }
        match rest.split_once('.') {
            Some((_, parent)) => rest = parent,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_binary_search() {
        assert!(PUBLIC.is_sorted());
    }

    #[test]
    fn r114_public_mail_domains_are_known_with_their_subdomains() {
        for domain in [
            "gmail.com",
            "outlook.com",
            "mx.gmail.com",
            "web.de",
            "qq.com",
            "zoho.com",
            "126.com",
        ] {
            assert!(is_public_mail_domain(domain), "{domain}");
        }
        for domain in ["home-lab.example", "gmail.com.example", "notgmail.com", "com", ""] {
            assert!(!is_public_mail_domain(domain), "{domain}");
        }
    }
}
