//! `/docs`: the reference as one page, written by the server, without scripts, and with nothing that is loaded.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{APIS, Api, Endpoint, before_handlers, document, method, open_path, scope};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b2733; --paper: #fff; --line: #d3dae1; --quiet: #55636f; --mark: #0b5394; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dce3ea; --paper: #14191f; --line: #36424d; --quiet: #9aa7b3; --mark: #7db7f0; }
}
body { margin: 0 auto; padding: 1rem; max-width: 60rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
a { color: var(--mark); }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2rem; font-size: 1rem; overflow-wrap: anywhere; }
h3 b { color: var(--mark); text-transform: uppercase; }
code, pre, h3 { font-family: ui-monospace, monospace; }
pre { overflow-x: auto; padding: .5rem; border: 1px solid var(--line); font-size: .85rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
th { white-space: nowrap; }
p, li, td, code, summary { overflow-wrap: anywhere; }
.quiet { color: var(--quiet); }
";

static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    (policy, html(APIS).unwrap_or_default())
});

/// The page.
pub(super) async fn page() -> impl IntoResponse {
    let (policy, html) = &*PAGE;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, html.as_str())
}

/// The page of some APIs.
pub(super) fn html(apis: &[&Api]) -> Result<String, fmt::Error> {
    let mut out = String::new();
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Plimsoll: reference</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Plimsoll {}</h1>\n<p>What this server can be asked. The same for programs: <a href=\"/openapi.json\">openapi.json</a>.</p>\n<nav>\n<ul>\n",
        env!("CARGO_PKG_VERSION")
    )?;
    for api in apis {
        writeln!(out, "<li><a href=\"#{0}\">{0}</a>: {1}</li>", api.name, prose(api.about))?;
    }
    out.push_str("</ul>\n</nav>\n");
    for api in apis {
        writeln!(out, "<section>\n<h2 id=\"{0}\">{0}</h2>\n<p>{1}</p>", api.name, prose(api.about))?;
        for endpoint in api.endpoints {
            self::endpoint(&mut out, endpoint)?;
        }
        out.push_str("</section>\n");
    }
    schemas(&mut out, &document(apis))?;
    out.push_str("</main>\n</body>\n</html>\n");
    Ok(out)
}

fn endpoint(out: &mut String, endpoint: &Endpoint) -> fmt::Result {
    let path = open_path(endpoint.path);
    writeln!(out, "<h3 id=\"{}\"><b>{}</b> {}</h3>", endpoint.id, method(endpoint.method), escaped(&path))?;
    writeln!(out, "<p>{}</p>", prose(endpoint.about))?;
    let access = scope(endpoint.access).map_or("Nobody has to say who they are.".to_owned(), |scope| {
        format!("Takes the scope <code>{}</code>.", escaped(scope))
    });
    writeln!(out, "<p class=\"quiet\">{access}</p>")?;
    if !endpoint.parameters.is_empty() {
        out.push_str("<table>\n<tr><th>parameter</th><th>in</th><th>meaning</th></tr>\n");
        for parameter in endpoint.parameters {
            let place = format!("{:?}", parameter.place).to_ascii_lowercase();
            let about = prose(parameter.about);
            writeln!(
                out,
                "<tr><td><code>{}</code></td><td>{place}</td><td>{about}</td></tr>",
                parameter.name
            )?;
        }
        out.push_str("</table>\n");
    }
    if let Some(body) = &endpoint.body {
        writeln!(out, "<p>Body: <code>{}</code></p>", escaped(&body.media_types.join(", ")))?;
    }
    out.push_str("<table>\n<tr><th>status</th><th>when</th></tr>\n");
    let is_own = |status: u16| endpoint.answers.iter().any(|answer| answer.status == status);
    let own = endpoint.answers.iter().map(|answer| (answer.status, answer.about));
    let before = before_handlers(endpoint).into_iter().filter(|(status, _)| !is_own(*status));
    let mut answers: Vec<(u16, &str)> = own.chain(before).collect();
    answers.sort_by_key(|(status, _)| *status);
    for (status, about) in answers {
        writeln!(out, "<tr><td>{status}</td><td>{}</td></tr>", prose(about))?;
    }
    out.push_str("</table>\n");
    Ok(())
}

fn schemas(out: &mut String, document: &Value) -> fmt::Result {
    out.push_str("<section>\n<h2 id=\"schemas\">Schemas</h2>\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let (name, schema) = (escaped(name), escaped(&format!("{schema:#}")));
        writeln!(
            out,
            "<details>\n<summary id=\"schema-{name}\">{name}</summary>\n<pre>{schema}</pre>\n</details>"
        )?;
    }
    out.push_str("</section>\n");
    Ok(())
}

/// Text for people, in which backticks stand around what is typed.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (nth, part) in escaped(text).split('`').enumerate() {
        match nth % 2 {
            0 => out.push_str(part),
            _ => out.extend(["<code>", part, "</code>"]),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
