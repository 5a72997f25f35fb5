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

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler of whatever type.
struct Served<S>(Arc<dyn Fn(Request, S) -> Answering + Send + Sync>);

impl<S> Clone for Served<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: 'static> Handler<(), S> for Served<S> {
    type Future = Answering;

    fn call(self, request: Request, state: S) -> Answering {
        (self.0)(request, state)
    }
}

fn served<H, T, S>(handler: H) -> Served<S>
where
    H: Handler<T, S, Future = Answering> + Sync,
{
    Served(Arc::new(move |request, state| {
        handler.clone().call(request, state)
    }))
}

/// Further methods at an address.
pub trait And<S> {
    /// Answers this method, too.
    #[must_use]
    fn and<H, T>(self, method: MethodFilter, handler: H) -> Self
    where
        H: Handler<T, S, Future = Answering> + Sync,
        T: 'static;

    /// Answers POST, too.
    #[must_use]
    fn and_post<H, T>(self, handler: H) -> Self
    where
        Self: Sized,
        H: Handler<T, S, Future = Answering> + Sync,
        T: 'static,
    {
        self.and(MethodFilter::POST, handler)
    }

    /// Answers OPTIONS, too.
    #[must_use]
    fn and_options<H, T>(self, handler: H) -> Self
    where
        Self: Sized,
        H: Handler<T, S, Future = Answering> + Sync,
        T: 'static,
    {
        self.and(MethodFilter::OPTIONS, handler)
    }
}

impl<S: Clone + Send + Sync + 'static> And<S> for MethodRouter<S> {
    fn and<H, T>(self, method: MethodFilter, handler: H) -> Self
    where
        H: Handler<T, S, Future = Answering> + Sync,
        T: 'static,
    {
        self.on(method, served(handler))
    }
}

macro_rules! methods {
    ($($(#[$docs:meta])* $name:ident),* $(,)?) => {$(
        $(#[$docs])*
        #[expect(clippy::disallowed_methods, reason = "the one place that hides the type of a handler")]
        pub fn $name<H, T, S>(handler: H) -> MethodRouter<S>
        where
            H: Handler<T, S, Future = Answering> + Sync,
            T: 'static,
            S: Clone + Send + Sync + 'static,
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
