//! Whether whoever asks may ask for this.

use std::sync::Arc;

use axum::http::HeaderMap;

use super::Refusal;
use super::endpoint::{Access, Method};
use super::guard::Place;
use crate::access::{Principal, unauthorized};
use crate::config::{MetricsAccess, Scope};

/// Who asks. For what is public nobody is asked who they are, and wrong credentials do no harm.
pub(super) async fn identify(place: &Place, headers: &HeaderMap) -> Result<Option<Arc<Principal>>, Refusal> {
    if wanted(place).is_none() {
        return Ok(None);
    }
    let now = (place.server.now)();
    place.server.door()?.identify(headers, place.api.front.takes_shared_keys, now).await
}

/// Refuses who may not ask for this.
pub(super) fn check(
    place: &Place,
    known: Result<Option<Arc<Principal>>, Refusal>,
    headers: &HeaderMap,
) -> Result<Option<Arc<Principal>>, Refusal> {
    let Some(wanted) = wanted(place) else { return Ok(None) };
    let Some(principal) = known? else {
        return Err(unauthorized(
            "say who asks: a token as `Authorization: Bearer TOKEN`; `plimsoll token new` makes one",
        ));
    };
    if !principal.may(wanted) {
        let (name, scope, wanted) = (&principal.name, principal.scope.name(), wanted.name());
        return Err(Refusal::new(
            403,
            "forbidden",
            format!("`{name}` may `{scope}`, and this takes `{wanted}`; ask with another token"),
        ));
    }
    if principal.is_anonymous() && place.endpoint.method != Method::Get && is_cross_site(headers) {
        return Err(Refusal::new(
            403,
            "forbidden",
            "a page of another site asks through somebody's browser; give it a token of its own",
        ));
    }
    Ok(Some(principal))
}

/// What an endpoint takes; `None` where it is for everybody.
fn wanted(place: &Place) -> Option<Scope> {
    match place.endpoint.access {
        Access::Public => None,
        Access::Read => Some(Scope::Read),
        Access::Submit => Some(Scope::Submit),
        Access::Admin => Some(Scope::Admin),
        Access::Metrics => configured(place.server.config.server.auth.metrics),
        Access::Admission => configured(place.server.config.admission.access),
    }
}

fn configured(access: MetricsAccess) -> Option<Scope> {
    match access {
        MetricsAccess::Everybody => None,
        MetricsAccess::Read => Some(Scope::Read),
    }
}

/// Whether a browser says that another site's page asks. It sends along nobody's token, but reaches what its user
/// reaches: a server on the loopback address.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}
