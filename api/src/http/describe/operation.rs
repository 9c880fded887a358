//! One route, described: what it is asked with, what it answers, and every problem that it may meet.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required};

use super::API_KEY;
use super::shape::{Named, Shape};
use super::shapes::problem::ProblemDocument;
use super::shapes::words::{IdempotencyKey, Position};
use crate::http::access::Access;
use crate::http::problem::{self, Code};

type Usage = fn(&mut Named) -> RefOr<Schema>;

/// A route while it is described.
pub(super) struct Operation {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<Given>,
    body: Option<Body>,
    answers: Vec<Answer>,
    codes: Vec<Code>,
}

/// A parameter.
#[derive(Clone, Copy)]
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) is_required: bool,
    pub(super) meaning: &'static str,
    pub(super) usage: Usage,
}

/// Where a parameter stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

struct Body {
    media_type: &'static str,
    is_required: bool,
    usage: Usage,
    example: Value,
}

struct Answer {
    status: u16,
    meaning: &'static str,
    /// Its media type and its shape; nothing where it has no body.
    body: Option<(&'static str, Usage)>,
    headers: Vec<&'static str>,
}

impl Operation {
    pub(super) const fn new(
        method: HttpMethod,
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            tag,
            summary,
            description: "",
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// What there is to say beside the summary.
    pub(super) fn about(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    pub(super) fn given(mut self, parameters: &[Given]) -> Self {
        self.parameters.extend_from_slice(parameters);
        self
    }

    pub(super) fn body<T: Shape>(self, is_required: bool, example: Value) -> Self {
        self.body_as::<T>("application/json", is_required, example)
    }

    pub(super) fn body_as<T: Shape>(
        mut self,
        media_type: &'static str,
        is_required: bool,
        example: Value,
    ) -> Self {
        self.body = Some(Body { media_type, is_required, usage: T::usage, example });
        self.fails(&[
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::RequestTimeout,
            Code::ValidationFailed,
            Code::MalformedRequest,
            Code::Overloaded,
        ])
    }

    /// Answers with JSON that reflects no single position.
    pub(super) fn answers<T: Shape>(self, status: u16, meaning: &'static str) -> Self {
        self.answers_as::<T>(status, "application/json", meaning)
    }

    pub(super) fn answers_as<T: Shape>(
        mut self,
        status: u16,
        media_type: &'static str,
        meaning: &'static str,
    ) -> Self {
        self.answers.push(Answer {
            status,
            meaning,
            body: Some((media_type, T::usage)),
            headers: Vec::new(),
        });
        self
    }

    /// The same list as rows, for callers that accept those.
    pub(super) fn or_rows(self) -> Self {
        self.answers_as::<String>(200, "text/csv", "").answers_as::<String>(200, "application/x-ndjson", "")
    }

    /// Leads elsewhere.
    pub(super) fn redirects(mut self, meaning: &'static str) -> Self {
        self.answers.push(Answer { status: 303, meaning, body: None, headers: vec!["Location"] });
        self
    }

    /// Its answers say which position they reflect.
    pub(super) fn at_a_position(mut self) -> Self {
        self.answers.iter_mut().for_each(|answer| answer.headers.push("Ledger-Position"));
        self
    }

    /// Its answers say what they are told apart by, and are not sent again to who has them.
    pub(super) fn tagged(mut self) -> Self {
        self.answers.iter_mut().for_each(|answer| answer.headers.push("ETag"));
        let headers = self.answers.first().map(|answer| answer.headers.clone()).unwrap_or_default();
        let meaning = "It is what `If-None-Match` names.";
        self.answers.push(Answer { status: 304, meaning, body: None, headers });
        self.given(&[IF_NONE_MATCH])
    }

    /// It may be based on what its caller has seen.
    pub(super) fn based(self) -> Self {
        self.given(&[IF_MATCH]).fails(&[Code::PreconditionFailed])
    }

    /// Its answers are those to a command: they say where the decision stands, and whether they were given before.
    pub(super) fn of_a_decision(mut self) -> Self {
        self.answers.iter_mut().for_each(|answer| answer.headers.extend(HEADERS_OF_DECISIONS));
        self
    }

    /// What it may meet, beside what every route of its kind does.
    pub(super) fn fails(mut self, codes: &[Code]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    /// The operation as the document has it.
    pub(super) fn described(self, access: Access, named: &mut Named) -> utoipa::openapi::path::Operation {
        let codes = self.all_codes(access);
        let is_decided = codes.contains(&Code::OutcomeUnknown);
        let mut operation = OperationBuilder::new()
            .operation_id(Some(self.id))
            .tag(self.tag)
            .summary(Some(self.summary))
            .description(Some(with_access(self.description, access)));
        for given in self.ids().chain(self.parameters.iter().copied()) {
            operation = operation.parameter(parameter(given, named));
        }
        if let Some(Body { media_type, is_required, usage, example }) = self.body {
            let content = ContentBuilder::new().schema(Some(usage(named))).example(Some(example));
            let required = if is_required { Required::True } else { Required::False };
            let body =
                RequestBodyBuilder::new().content(media_type, content.build()).required(Some(required));
            operation = operation.request_body(Some(body.build()));
        }
        for (status, response) in success(&self.answers, named) {
            operation = operation.response(status.to_string(), response.build());
        }
        for (status, codes) in by_status(&codes) {
            let response: RefOr<Response> = match codes.as_slice() {
                [code] if !is_on_record(status, is_decided) => {
                    Ref::new(format!("#/components/responses/{}", code.as_str())).into()
                }
                codes => problems(codes, is_on_record(status, is_decided), named).build().into(),
            };
            operation = operation.response(status.as_str(), response);
        }
        let nothing = SecurityRequirement::default();
        let operation = match access {
            Access::Open => operation.security(nothing),
            _ => operation.security(SecurityRequirement::new(API_KEY, [""; 0])).security(nothing),
        };
        operation.build()
    }

    fn all_codes(&self, access: Access) -> Vec<Code> {
        let mut codes = self.codes.clone();
        codes.extend([Code::UriTooLong, Code::HeadersTooLarge, Code::RateLimited, Code::Internal]);
        if access != Access::Open {
            codes.extend([Code::Unauthenticated, Code::KeysUnread, Code::Forbidden]);
        }
        if matches!(access, Access::AtSite(_)) {
            codes.push(Code::UnknownSite);
        }
        if self.ids().next().is_some() {
            codes.push(Code::ValidationFailed);
        }
        if access != Access::Open || self.parameters.iter().any(|given| matches!(given.place, Place::Query)) {
            codes.push(Code::MalformedRequest);
        }
        codes
    }

    /// The ids in its path.
    fn ids(&self) -> impl Iterator<Item = Given> + use<> {
        let names = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        names.filter_map(super::operations::id).collect::<Vec<_>>().into_iter()
    }
}

/// What it needs, in words.
fn with_access(description: &str, access: Access) -> String {
    let needs = match access {
        Access::Open => "Needs no API key.".to_owned(),
        Access::AnyKey => "Needs any API key.".to_owned(),
        Access::FromHere(scope) => {
            format!(
                "Needs no API key from the same machine, else one with the scope `{scope}` for all sites."
            )
        }
        Access::AtSite(scope) => format!("Needs an API key with the scope `{scope}` for the site."),
        Access::OwnSites(scope) => format!("Needs an API key with the scope `{scope}`."),
        Access::AllSites(scope) => format!("Needs an API key with the scope `{scope}` for all sites."),
    };
    if description.is_empty() { needs } else { format!("{description}\n\n{needs}") }
}

fn parameter(given: Given, named: &mut Named) -> Parameter {
    let place = match given.place {
        Place::Path => ParameterIn::Path,
        Place::Query => ParameterIn::Query,
        Place::Header => ParameterIn::Header,
    };
    let required = if given.is_required { Required::True } else { Required::False };
    let parameter = ParameterBuilder::new().name(given.name).parameter_in(place).required(required);
    parameter.description(Some(given.meaning)).schema(Some((given.usage)(named))).build()
}

/// Headers of answers, as the document has them once.
pub(super) fn headers(named: &mut Named) -> Vec<(&'static str, Header)> {
    let mut header = |name, meaning, usage: Usage| {
        let schema = Some(usage(named));
        (name, HeaderBuilder::new().schema(schema).description(Some(meaning)).build())
    };
    vec![
        header("X-Request-Id", "What the request is called in the log.", String::usage),
        header("RateLimit-Policy", "How often this client may ask, where it is counted.", String::usage),
        header("RateLimit", "How often it may ask before it must wait.", String::usage),
        header("Retry-After", "Seconds after which it is worth trying again.", u64::usage),
        header("WWW-Authenticate", "`Bearer`", String::usage),
        header("Location", "The path that has it.", String::usage),
        header("ETag", "What the answer is told apart by (RFC 9110).", String::usage),
        header("Idempotency-Replayed", "`true` if the command was decided before.", String::usage),
        header("Dry-Run", "`true` in the answer to a dry run: nothing was written.", String::usage),
        header(
            "Ledger-Position",
            "Where the decision stands, also if it is a refusal, or the last decision that is shown. In the answer to a \
             dry run the last decision that was taken into account.",
            Position::usage,
        ),
    ]
}

fn with_headers(response: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    names.iter().fold(response, |response, name| {
        response.header_ref(*name, Ref::new(format!("#/components/headers/{name}")))
    })
}

/// The headers of every answer.
const HEADERS_OF_ALL: [&str; 3] = ["X-Request-Id", "RateLimit-Policy", "RateLimit"];
/// The headers of an answer to a command.
const HEADERS_OF_DECISIONS: [&str; 3] = ["Ledger-Position", "Idempotency-Replayed", "Dry-Run"];

/// The successes, those of one status together.
fn success(answers: &[Answer], named: &mut Named) -> BTreeMap<u16, ResponseBuilder> {
    let mut responses: BTreeMap<u16, ResponseBuilder> = BTreeMap::new();
    for answer in answers {
        let response = responses.remove(&answer.status).unwrap_or_else(|| {
            let response = ResponseBuilder::new().description(answer.meaning);
            let response = with_headers(response, &HEADERS_OF_ALL);
            with_headers(response, &answer.headers)
        });
        let response = match answer.body {
            Some((media_type, usage)) => {
                let content = ContentBuilder::new().schema(Some(usage(named)));
                response.content(media_type, content.build())
            }
            None => response,
        };
        responses.insert(answer.status, response);
    }
    responses
}

fn by_status(codes: &[Code]) -> BTreeMap<StatusCode, Vec<Code>> {
    let mut by_status: BTreeMap<StatusCode, Vec<Code>> = BTreeMap::new();
    // In the order of the one table.
    for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
        by_status.entry(code.status()).or_default().push(*code);
    }
    by_status
}

/// Whether a problem of this status may be a refusal that is on record: those of commands are.
fn is_on_record(status: StatusCode, is_decided: bool) -> bool {
    is_decided && [StatusCode::CONFLICT, StatusCode::NOT_FOUND].contains(&status)
}

/// The answer with each single problem, as the document has it once.
pub(super) fn single_problems(named: &mut Named) -> Vec<(&'static str, Response)> {
    Code::ALL.iter().map(|code| (code.as_str(), problems(&[*code], false, named).build())).collect()
}

/// The problems of one status, each with an example.
fn problems(codes: &[Code], is_on_record: bool, named: &mut Named) -> ResponseBuilder {
    let title = |code: &Code| format!("`{}`: {}", code.as_str(), code.title());
    let titles: Vec<String> = codes.iter().map(title).collect();
    let examples = codes.iter().map(|code| {
        let name = code.as_str();
        (name, RefOr::Ref(Ref::new(format!("#/components/examples/{name}"))))
    });
    let content = ContentBuilder::new().schema(Some(ProblemDocument::usage(named)));
    let content = content.examples_from_iter(examples).build();
    let response =
        ResponseBuilder::new().description(titles.join(". ")).content(problem::MEDIA_TYPE, content);
    let mut response = with_headers(response, &HEADERS_OF_ALL);
    if codes.iter().any(|code| code.retry_after_s().is_some()) {
        response = with_headers(response, &["Retry-After"]);
    }
    if codes.contains(&Code::Unauthenticated) {
        response = with_headers(response, &["WWW-Authenticate"]);
    }
    if is_on_record {
        response = with_headers(response, &HEADERS_OF_DECISIONS);
    }
    response
}

/// An example of each problem, as the document has them once.
pub(super) fn examples() -> impl Iterator<Item = (&'static str, Example)> {
    Code::ALL.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.title()).description(code.explanation());
        (code.as_str(), example.value(Some(example_of(*code))).build())
    })
}

fn example_of(code: Code) -> Value {
    json!({
        "type": format!("/problems/{}", code.as_str()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": "what is wrong with this request, and what to do",
        "instance": "/v1/sites/uk/orders",
        "code": code.as_str(),
        "request_id": "0199f2a4-6f1e-7c30-9a51-2f8f0c4f7d10",
        "retryable": code.is_retryable(),
    })
}

const IF_NONE_MATCH: Given = Given {
    name: "If-None-Match",
    place: Place::Header,
    is_required: false,
    meaning: "The `ETag` of an answer that is kept: if it is still so, it is not sent again.",
    usage: String::usage,
};
const IF_MATCH: Given = Given {
    name: "If-Match",
    place: Place::Header,
    is_required: false,
    meaning: "The `ETag` of the stock level or the order as it was read: if anything has changed it since, nothing is done. \
              An adjustment or a count with it is of one item.",
    usage: String::usage,
};
/// The key of a command.
pub(super) const IDEMPOTENCY_KEY: Given = Given {
    name: "Idempotency-Key",
    place: Place::Header,
    is_required: true,
    meaning: "A key of your choice that is new for this command, bare or as a quoted string. Keep it before you send, and send \
              it again with every repetition.",
    usage: IdempotencyKey::usage,
};
