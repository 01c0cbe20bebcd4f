//! Requests of persons through the whole product.

mod hands;
