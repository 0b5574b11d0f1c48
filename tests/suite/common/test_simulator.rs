//! The simulator of CoreCARD, running beside the test.

use std::collections::BTreeMap;

use cardcancel::simulator::{self, Order, OrderState, Simulator, SimulatorSettings, Stats};
use tokio::runtime::Runtime;

/// The simulator of CoreCARD, running beside the test.
pub struct CoreCard {
    runtime: Runtime,
    simulator: Simulator,
}

impl CoreCard {
    /// One that is perfect and instantaneous.
    pub fn perfect() -> CoreCard {
        CoreCard::that(SimulatorSettings::default())
    }

    pub fn that(settings: SimulatorSettings) -> CoreCard {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let simulator = runtime.block_on(simulator::start(settings)).unwrap();
        CoreCard { runtime, simulator }
    }

    pub fn url(&self) -> String {
        self.simulator.url()
    }

    /// How many requests it has had.
    pub fn requests(&self) -> u64 {
        self.simulator.stats().requests
    }

    /// The state of every order that a request named.
    pub fn orders(&self) -> BTreeMap<Order, OrderState> {
        self.simulator.orders()
    }

    /// How often it was asked for each order, by admin number.
    pub fn asked(&self) -> BTreeMap<i64, u32> {
        self.orders()
            .into_iter()
            .map(|(order, state)| (order.admin_number, state.requests))
            .collect()
    }

    pub fn stop(self) -> Stats {
        self.runtime.block_on(self.simulator.stop())
    }
}
