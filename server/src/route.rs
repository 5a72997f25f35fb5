//! How an address is tied to what serves it: as `axum::routing`, with the types of handlers hidden. Never knows an address.
//!
//! The router wraps each handler in a dozen layers of its own, and for each type of handler that is code of its own. With
//! hundreds of handlers, that code took a good part of the program's size and of the time that it takes to build.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};

use crate::app::App;

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler of whatever type.
#[derive(Clone)]
struct Served(Arc<dyn Fn(Request, App) -> Answering + Send + Sync>);

impl Handler<(), App> for Served {
    type Future = Answering;

    fn call(self, request: Request, app: App) -> Answering {
        (self.0)(request, app)
    }
}

fn served<H, T>(handler: H) -> Served
where
    H: Handler<T, App, Future = Answering> + Sync,
    T: 'static,
{
    Served(Arc::new(move |request, app| handler.clone().call(request, app)))
}

/// Further methods at an address.
pub trait And {
    /// Answers this method, too.
    #[must_use]
    fn and<H, T>(self, method: MethodFilter, handler: H) -> Self
    where
        H: Handler<T, App, Future = Answering> + Sync,
        T: 'static;

    /// Answers POST, too.
    #[must_use]
    fn and_post<H, T>(self, handler: H) -> Self
    where
        Self: Sized,
        H: Handler<T, App, Future = Answering> + Sync,
        T: 'static,
    {
        self.and(MethodFilter::POST, handler)
    }

    /// Answers OPTIONS, too.
    #[must_use]
    fn and_options<H, T>(self, handler: H) -> Self
    where
        Self: Sized,
        H: Handler<T, App, Future = Answering> + Sync,
        T: 'static,
    {
        self.and(MethodFilter::OPTIONS, handler)
    }
}

impl And for MethodRouter<App> {
    fn and<H, T>(self, method: MethodFilter, handler: H) -> Self
    where
        H: Handler<T, App, Future = Answering> + Sync,
        T: 'static,
    {
        self.on(method, served(handler))
    }
}

macro_rules! methods {
    ($($(#[$docs:meta])* $name:ident),* $(,)?) => {$(
        $(#[$docs])*
        pub fn $name<H, T>(handler: H) -> MethodRouter<App>
        where
            H: Handler<T, App, Future = Answering> + Sync,
            T: 'static,
        {
            axum::routing::$name(served(handler))
        }
    )*};
}

methods! {
    /// Answers any method.
    any,
    /// Answers DELETE.
    delete,
    /// Answers GET, and HEAD without the body.
    get,
    /// Answers PATCH.
    patch,
    /// Answers POST.
    post,
    /// Answers PUT.
    put,
}
