//! The table of doors: every address, what it does, and which roles it is open to.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};

use super::answer::{Refusal, wrong_method};
use super::intake::LARGEST_BODY;
use super::{
    Api, alarms, answers, callbacks, cases, certificates, documents, drills, events, gate, health,
    holds, log, metrics, observe, opendsr, reappearances, requests, restores, tasks,
};
use crate::app::access::TokenRole;
use crate::app::vendor_callbacks::LARGEST_CALLBACK;
use TokenRole::{Approver, Auditor, Author, EventSource, Operator};

/// Who reads.
const READERS: &[TokenRole] = &[Auditor, Operator, Approver, Author];
/// Who may ask connected systems to count.
const PLANNERS: &[TokenRole] = &[Operator, Approver, Author];
/// Who reads the requests of persons.
const REQUEST_READERS: &[TokenRole] = &[Auditor, Operator, Approver];
/// Who decides about persons' requests, and may see whom one is about.
const DECIDERS: &[TokenRole] = &[Operator, Approver];
/// Who runs things.
const OPERATORS: &[TokenRole] = &[Operator];

/// What somebody needs to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    Anybody,
    /// A token with one of these roles.
    Token(&'static [TokenRole]),
    /// A token with one of these roles; nothing where the instance publishes its logs.
    Monitors(&'static [TokenRole]),
    /// The link of a mail, which is a token itself; the handler checks it.
    Link,
    /// The link of a printed certificate, whose identifier the handler looks up; there where such a
    /// link is printed.
    Printed,
    /// Nothing; there where the instance is an `OpenDSR` processor.
    Published,
    /// The credential of a controller; there where the instance is an `OpenDSR` processor.
    Controller,
    /// A signature over the body, which the handler checks; there where a third party of the data
    /// map calls back.
    Signature,
    /// What a definition says that a vendor shows, which the handler checks; there where one of the
    /// data map calls back.
    Vendor,
}

/// One address with one method.
pub struct Door {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The address, with names in braces.
    pub path: &'static str,
    /// What is needed to come in.
    pub entry: Entry,
    make: fn() -> MethodRouter<Api>,
}

const fn reads(
    path: &'static str,
    roles: &'static [TokenRole],
    make: fn() -> MethodRouter<Api>,
) -> Door {
    Door { method: "GET", path, entry: Entry::Token(roles), make }
}

const fn posts(
    path: &'static str,
    roles: &'static [TokenRole],
    make: fn() -> MethodRouter<Api>,
) -> Door {
    Door { method: "POST", path, entry: Entry::Token(roles), make }
}

const fn monitors(path: &'static str, make: fn() -> MethodRouter<Api>) -> Door {
    Door { method: "GET", path, entry: Entry::Monitors(READERS), make }
}

const fn controllers(
    method: &'static str,
    path: &'static str,
    make: fn() -> MethodRouter<Api>,
) -> Door {
    Door { method, path, entry: Entry::Controller, make }
}

const DOORS: &[Door] = &[
    Door {
        method: "GET",
        path: health::ADDRESS,
        entry: Entry::Anybody,
        make: || get(health::health),
    },
    reads("/v1/certificates", READERS, || get(certificates::list)),
    reads("/v1/certificates/{id}", READERS, || get(certificates::one)),
    reads("/v1/certificates/{id}/statement", READERS, || get(certificates::statement)),
    reads("/v1/certificates/{id}/manifest", READERS, || get(certificates::manifest)),
    reads("/v1/certificates/{id}/bundle", READERS, || get(certificates::bundle)),
    reads("/v1/certificates/{id}/text", READERS, || get(certificates::text)),
    reads("/v1/certificates/{id}/html", READERS, || get(certificates::html)),
    reads("/v1/certificates/{id}/pdf", READERS, || get(certificates::pdf)),
    reads("/v1/certificates/{id}/export", READERS, || get(certificates::folder)),
    reads("/v1/certificates/{id}/export/{file}", READERS, || get(certificates::exported)),
    reads("/v1/certificates/{id}/export-for-person", DECIDERS, || {
        get(certificates::folder_for_person)
    }),
    reads("/v1/certificates/{id}/export-for-person/{file}", DECIDERS, || {
        get(certificates::exported_for_person)
    }),
    Door {
        method: "GET",
        path: certificates::PRINTED,
        entry: Entry::Printed,
        make: || get(certificates::printed_link),
    },
    reads("/v1/rules", READERS, || get(documents::rules)),
    reads("/v1/rules/{digest}", READERS, || get(documents::rules_on_record)),
    reads("/v1/map", READERS, || get(documents::map)),
    reads("/v1/map/{digest}", READERS, || get(documents::map_on_record)),
    reads("/v1/backups", READERS, || get(documents::backups)),
    reads("/v1/cases", READERS, || get(cases::list)),
    reads("/v1/cases/{id}", READERS, || get(cases::one)),
    reads("/v1/evidence/cases/{id}", READERS, || get(cases::evidence)),
    reads("/v1/holds", READERS, || get(holds::list)),
    reads("/v1/pauses", READERS, || get(holds::pauses)),
    reads("/v1/restores", READERS, || get(restores::list)),
    reads("/v1/restores/{id}", READERS, || get(restores::one)),
    reads("/v1/reappearances", READERS, || get(reappearances::list)),
    reads("/v1/drills", READERS, || get(drills::list)),
    reads("/v1/drills/{id}", READERS, || get(drills::one)),
    reads("/v1/requests", REQUEST_READERS, || get(requests::list)),
    reads("/v1/requests/{id}", REQUEST_READERS, || get(requests::one)),
    reads("/v1/alarms", REQUEST_READERS, || get(alarms::list)),
    reads("/metrics", REQUEST_READERS, || get(metrics::metrics)),
    reads("/v1/plan", PLANNERS, || get(cases::plan)),
    monitors("/log/checkpoint", || get(log::checkpoint)),
    monitors("/log/tile/{*tile}", || get(log::tile)),
    monitors("/log/{name}/checkpoint", || get(log::named_checkpoint)),
    monitors("/log/{name}/tile/{*tile}", || get(log::named_tile)),
    monitors("/log/{name}/status/{number}", || get(log::status_list)),
    posts("/v1/certificates/{id}/status", DECIDERS, || post(certificates::declare)),
    posts("/v1/certificates/{id}/correction", DECIDERS, || post(certificates::correct)),
    posts("/v1/events", &[EventSource, Operator], || post(events::post)),
    posts("/v1/holds", OPERATORS, || post(holds::place)),
    posts("/v1/holds/release", OPERATORS, || post(holds::release_matter)),
    posts("/v1/holds/{hold}/release", OPERATORS, || post(holds::release)),
    posts("/v1/pauses", OPERATORS, || post(holds::pause)),
    Door {
        method: "DELETE",
        path: "/v1/pauses",
        entry: Entry::Token(OPERATORS),
        make: || delete(holds::resume),
    },
    posts("/v1/restores", OPERATORS, || post(restores::begin)),
    posts("/v1/restores/{id}/open", OPERATORS, || post(restores::open)),
    posts("/v1/reappearances/{id}/again", DECIDERS, || post(reappearances::again)),
    posts("/v1/reappearances/{id}/leave", DECIDERS, || post(reappearances::leave)),
    posts("/v1/drills", OPERATORS, || post(drills::begin)),
    posts("/v1/cases", OPERATORS, || post(cases::open)),
    posts("/v1/cases/{id}/approve", &[Approver], || post(cases::approve)),
    posts("/v1/cases/{id}/cancel", OPERATORS, || post(cases::cancel)),
    posts("/v1/jobs/{id}/retry", OPERATORS, || post(cases::retry)),
    posts("/v1/requests", OPERATORS, || post(requests::bring)),
    posts("/v1/requests/{id}/ask-identity", OPERATORS, || post(requests::ask_identity)),
    posts("/v1/requests/{id}/confirm", OPERATORS, || post(requests::confirm)),
    posts("/v1/requests/{id}/tell-apart", OPERATORS, || post(requests::tell_apart)),
    posts("/v1/requests/{id}/cancel", OPERATORS, || post(requests::cancel)),
    posts("/v1/requests/{id}/refuse", DECIDERS, || post(requests::refuse)),
    posts("/v1/requests/{id}/decide", DECIDERS, || post(requests::decide)),
    posts("/v1/requests/{id}/fee", DECIDERS, || post(requests::fee)),
    posts("/v1/requests/{id}/extend", OPERATORS, || post(requests::extend)),
    posts("/v1/requests/{id}/close", OPERATORS, || post(requests::close)),
    reads("/v1/tasks", READERS, || get(tasks::list)),
    reads("/v1/tasks/{id}", OPERATORS, || get(tasks::one)),
    Door { method: "GET", path: answers::ADDRESS, entry: Entry::Link, make: || get(answers::look) },
    Door {
        method: "POST",
        path: answers::ADDRESS,
        entry: Entry::Link,
        make: || post(answers::answer),
    },
    posts("/v1/tasks/{id}/done", OPERATORS, || post(tasks::done)),
    posts("/v1/tasks/{id}/confirm", DECIDERS, || post(tasks::confirm)),
    Door {
        method: "GET",
        path: opendsr::CERTIFICATE,
        entry: Entry::Published,
        make: || get(opendsr::certificate),
    },
    controllers("GET", "/opendsr/certificates/{id}", || get(opendsr::outcome)),
    controllers("GET", "/opendsr/v2/discovery", || get(opendsr::discovery)),
    controllers("POST", "/opendsr/v2/requests", || post(opendsr::create)),
    controllers("GET", "/opendsr/v2/requests/{id}", || get(opendsr::status)),
    controllers("GET", "/opendsr/v2/requests/{id}/status", || get(opendsr::status)),
    controllers("DELETE", "/opendsr/v2/requests/{id}", || delete(opendsr::cancel)),
    controllers("GET", "/opendsr/v3/discovery", || get(opendsr::discovery)),
    controllers("GET", "/opendsr/v3/requests", || get(opendsr::group)),
    controllers("POST", "/opendsr/v3/requests", || post(opendsr::create)),
    controllers("GET", "/opendsr/v3/requests/{id}", || get(opendsr::status)),
    controllers("GET", "/opendsr/v3/requests/{id}/status", || get(opendsr::status)),
    controllers("DELETE", "/opendsr/v3/requests/{id}", || delete(opendsr::cancel)),
    controllers("GET", "/opendsr/v1/discovery", || get(opendsr::discovery)),
    controllers("POST", "/opendsr/v1/opengdpr_requests", || post(opendsr::create)),
    controllers("GET", "/opendsr/v1/opengdpr_requests/{id}", || get(opendsr::status)),
    controllers("DELETE", "/opendsr/v1/opengdpr_requests/{id}", || delete(opendsr::cancel)),
    controllers("POST", "/opengdpr_requests", || post(opendsr::create)),
    controllers("GET", "/opengdpr_requests/{id}", || get(opendsr::status)),
    controllers("GET", "/opengdpr_requests/{id}/status", || get(opendsr::status)),
    controllers("DELETE", "/opengdpr_requests/{id}", || delete(opendsr::cancel)),
    Door {
        method: "POST",
        path: "/v1/callbacks/{system}",
        entry: Entry::Vendor,
        make: || post(callbacks::called_back).layer(DefaultBodyLimit::max(LARGEST_CALLBACK)),
    },
    Door {
        method: "POST",
        path: "/opendsr/callbacks/{system}",
        entry: Entry::Signature,
        make: || post(opendsr::called_back).layer(DefaultBodyLimit::max(opendsr::LARGEST_CALLBACK)),
    },
];

impl Door {
    /// Roles that it is open to; `None` where no token opens it.
    pub fn roles(&self) -> Option<&'static [TokenRole]> {
        match self.entry {
            Entry::Token(roles) | Entry::Monitors(roles) => Some(roles),
            _ => None,
        }
    }

    /// Roles of which one is needed in this instance.
    fn needed_roles(&self, api: &Api) -> Option<&'static [TokenRole]> {
        self.roles().filter(|_| !(matches!(self.entry, Entry::Monitors(_)) && api.publishes_logs()))
    }

    /// Whether the instance has it.
    fn is_there(&self, api: &Api) -> bool {
        match self.entry {
            Entry::Anybody | Entry::Link | Entry::Token(_) | Entry::Monitors(_) => true,
            Entry::Printed => api.product.prints_links(),
            Entry::Published | Entry::Controller => api.desk.is_some(),
            Entry::Signature => api.product.hears_callbacks(),
            Entry::Vendor => api.product.hears_vendors(),
        }
    }
}

/// What is needed to come in at an address of the table; a token where there is nothing.
pub(super) fn entry_of(path: &str) -> Entry {
    let door = DOORS.iter().find(|door| door.path == path);
    door.map_or(Entry::Token(&[]), |door| door.entry)
}

/// Every address that is served.
pub fn doors() -> &'static [Door] {
    DOORS
}

/// The router over the table.
pub(super) fn router(api: &Api) -> Router {
    let mut router = Router::new();
    for door in DOORS.iter().filter(|door| door.is_there(api)) {
        let handler = (door.make)();
        let handler = match door.needed_roles(api) {
            Some(roles) => handler.route_layer(from_fn_with_state(roles, gate::authorise)),
            None => handler,
        };
        router = router.route(door.path, handler);
    }
    router
        .method_not_allowed_fallback(refuse_method)
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(api.clone(), gate::admit))
        .layer(from_fn(observe::observe))
        .with_state(api.clone())
}

async fn nothing_here() -> Response {
    Refusal::nothing_here().into_response()
}

async fn refuse_method(method: Method) -> Response {
    wrong_method(&method)
}
