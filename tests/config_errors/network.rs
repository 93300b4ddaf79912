//! Where clients come from.

use super::*;

#[test]
fn client_addresses_are_networks() {
    check(
        r#"
- [tokens]
+ [client_address]
+ proxy_protocol_from = ["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "balancer"]
+ forwarded_from = ["::ffff:10.0.0.1", 7, "10.0.0.0/33"]
+ proxies = []
+ [tokens]
! adit.toml:9:67: client_address.proxy_protocol_from[4]: expected an address or a network such as "10.0.0.0/8", found "balancer"
! adit.toml:10:19: client_address.forwarded_from[1]: expected an address or a network such as "10.0.0.0/8", found "::ffff:10.0.0.1"
! adit.toml:10:38: client_address.forwarded_from[2]: expected an address or a network such as "10.0.0.0/8", found 7
! adit.toml:10:41: client_address.forwarded_from[3]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0/33"
! adit.toml:11:1: client_address.proxies: unknown key; known here: proxy_protocol_from, forwarded_from

- [tokens]
+ [client_address]
+ proxy_protocol_from = ["10.1.0.0/8", "2001:db8::1/32"]
+ [tokens]
! adit.toml:9:24: client_address.proxy_protocol_from[1]: the address has bits beyond its prefix; write "10.0.0.0/8"
! adit.toml:9:38: client_address.proxy_protocol_from[2]: the address has bits beyond its prefix; write "2001:db8::/32"

- [tokens]
+ [client_address]
+ proxy_protocol_from = ["10.0.0.0/8", "10.0.0.0/8"]
+ forwarded_from = ["::1"]
+ [tokens]
"#,
    );
}

#[test]
fn lists_of_addresses_and_countries() {
    check(
        r#"
- token_auth = true
+ token_auth = true
+ trusted_ips = ["10.0.0.0/8", "2001:db8::1"]

- token_auth = true
+ token_auth = true
+ trusted_ips = ["10.0.0.1/8", "10.0.0.0/8"]
! adit.toml:21:16: tunnel[1].trusted_ips[1]: the address has bits beyond its prefix; write "10.0.0.0/8"

- token_auth = true
+ token_auth = true
+ trusted_ips = ["::ffff:10.0.0.1", "10.0.0.0/33", "10.0.0.0-10.0.0.9", 7]
! adit.toml:21:16: tunnel[1].trusted_ips[1]: expected an address or a network such as "10.0.0.0/8", found "::ffff:10.0.0.1"
! adit.toml:21:35: tunnel[1].trusted_ips[2]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0/33"
! adit.toml:21:50: tunnel[1].trusted_ips[3]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0-10.0.0.9"
! adit.toml:21:71: tunnel[1].trusted_ips[4]: expected an address or a network such as "10.0.0.0/8", found 7

- token_auth = true
+ token_auth = true
+ trusted_ip = ["10.0.0.0/8"]
+ geo_ip = ["DE"]
! adit.toml:21:1: tunnel[1].trusted_ip: unknown key; did you mean "trusted_ips"? Without it clients could come from any address.
! adit.toml:22:1: tunnel[1].geo_ip: unknown key; did you mean "geoip"? Without it clients could come from any country.

- token_auth = true
+ token_auth = true
+ geoip = ["DE", "FR", "DE"]
+ [geoip]
+ database = "countries.mmdb"

- token_auth = true
+ token_auth = true
+ geoip = ["de", "UK", "EU", "DEU", 7]
+ [geoip]
+ database = "countries.mmdb"
! adit.toml:21:35: tunnel[1].geoip[5]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found 7

- token_auth = true
+ token_auth = true
+ geoip = ["de", "UK", "EU", "DEU"]
+ [geoip]
+ database = "countries.mmdb"
! adit.toml:21:10: tunnel[1].geoip[1]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "de"; write "DE"
! adit.toml:21:16: tunnel[1].geoip[2]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "UK"; write "GB"
! adit.toml:21:22: tunnel[1].geoip[3]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "EU"
! adit.toml:21:28: tunnel[1].geoip[4]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "DEU"

- token_auth = true
+ token_auth = true
+ geoip = ["DE", "NZ"]
+ [geoip]
+ database = "countries.mmdb"
! warning: adit.toml:21:16: tunnel[1].geoip[2]: no address is in NZ by the database of [geoip]

- token_auth = true
+ token_auth = true
+ geoip = ["DE"]
! adit.toml:21:9: tunnel[1].geoip: nobody could pass without a database that knows the country of an address: add [geoip] with database = "/var/lib/GeoIP/GeoLite2-Country.mmdb"

- workspace = "ws-1"
+ workspace = "ws-1"
+ geoip = ["DE"]
! adit.toml:16:9: project[1].geoip: nobody could pass without a database that knows the country of an address: add [geoip] with database = "/var/lib/GeoIP/GeoLite2-Country.mmdb"
"#,
    );
}

#[test]
fn databases_of_countries() {
    check(
        r#"
- [tokens]
+ [geoip]
+ [tokens]
! adit.toml:8:2: geoip.database: missing; write database = "/var/lib/GeoIP/GeoLite2-Country.mmdb"

- [tokens]
+ [geoip]
+ database = "nowhere.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: nowhere.mmdb cannot be opened: there is no such file

- [tokens]
+ [geoip]
+ database = "cut.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: cut.mmdb: no MaxMind database, or damaged: could not find MaxMind DB metadata in file

- [tokens]
+ [geoip]
+ database = "writable.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: writable.mmdb can be written by other users: chmod go-w writable.mmdb

- [tokens]
+ [geoip]
+ database = "nameless.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: nameless.mmdb: no record in it has country.iso_code: use one such as GeoLite2-Country
"#,
    );
}

/// S6.3.
#[test]
fn serving_behind_a_balancer_needs_listed_peers() {
    check(
        r#"
- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ proxy_protocol_from = ["10.0.0.1"]
+ [tokens]

- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ forwarded_from = ["10.0.0.1"]
+ [tokens]

- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [tokens]
! adit.toml:11:23: http.behind_tls_balancer: nobody could connect without [client_address]: list the balancer in proxy_protocol_from, or in forwarded_from

- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ behind_tls_balancer = true
+ [tokens]
! adit.toml:10:23: http.behind_tls_balancer: says who may be served without TLS, and mode = "redirect" serves nobody: write mode = "serve", or remove it

- token_auth = true
+ token_auth = true
+ tls_min_version = "tls1.3"
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ proxy_protocol_from = ["10.0.0.1"]
! adit.toml:21:19: tunnel[1].tls_min_version: a TLS minimum needs TLS, and [http] with mode = "serve" lets requests in without: remove one of them

- token_auth = true
+ mtls_auth = true
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ proxy_protocol_from = ["10.0.0.1"]
! adit.toml:20:13: tunnel[1].mtls_auth: a client shows its certificate in a TLS handshake, and [http] with mode = "serve" lets requests in without one: remove one of them
"#,
    );
}
